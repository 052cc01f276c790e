"""From the words of the port to an account to facts about a trade. Pure."""

from decimal import Decimal

from libs.exchanges.trading import AlgoState, Execution, OrderState
from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.document import FillBy, OurOrder, Side, Trade
from libs.trading.execution.facts import AlgoSeen, ExecutionSeen, OrderSeen, algo_status, order_status

QUOTE_ASSETS = frozenset({"USDT", "USDC", "BUSD", "FDUSD"})
"""Assets in which contracts are quoted: a fee in one of them is its own worth."""
_FORCED: tuple[tuple[str, FillBy], ...] = (
    ("adl_autoclose", "adl"),
    ("settlement_autoclose-", "settlement"),
    ("autoclose-", "liquidation"),
)
"""How the ids of the venue's own orders begin (reference facts, 7)."""


def order_seen(state: OrderState) -> OrderSeen:
    """An order of an answer, a list, a query or the user stream."""
    return OrderSeen(
        client_id=state.client_id,
        order_id=state.order_id,
        side=state.side,
        status=order_status(state.status),
        quantity=state.quantity,
        executed=state.executed,
        price=state.price or None,
        reduce_only=state.reduce_only,
        close_position=state.close_position,
        updated_ms=state.updated_ms,
    )


def algo_seen(state: AlgoState) -> AlgoSeen:
    """A conditional order of an answer, a list, a query or the user stream."""
    return AlgoSeen(
        client_id=state.client_id,
        algo_id=state.algo_id,
        side=state.side,
        status=algo_status(state.status),
        quantity=state.quantity,
        trigger=state.trigger_price,
        close_position=state.close_position,
        reduce_only=state.reduce_only,
        order_id=state.order_id,
        executed=state.executed,
        updated_ms=state.updated_ms,
        reason=state.reason,
    )


def execution_seen(execution: Execution, client_id: str = "") -> ExecutionSeen:
    """A fill; `client_id` where the user stream said it."""
    return ExecutionSeen(
        trade_id=execution.trade_id,
        order_id=execution.order_id,
        side=execution.side,
        price=execution.price,
        quantity=execution.quantity,
        fee=execution.fee,
        fee_asset=execution.fee_asset,
        fee_quote=fee_in_quote(execution),
        realised=execution.realised,
        is_maker=execution.is_maker,
        time_ms=execution.time_ms,
        client_id=client_id,
    )


def fee_in_quote(execution: Execution) -> Decimal | None:
    """What the fee was worth, None where its asset has to be valued first."""
    if not execution.fee:
        return Decimal(0)
    return execution.fee if execution.fee_asset in QUOTE_ASSETS else None


def order_numbers(trade: Trade) -> dict[int, OurOrder]:
    """The trade's orders by the venue's numbers of orders; a conditional by that of the order which it became."""
    found = {one.order_id: one for one in trade.orders if one.order_id is not None}
    return found | {one.venue_id: one for one in trade.orders if one.venue_id is not None and not one.is_conditional}


def filled_by(client_id: str, side: Side, trade: Trade) -> FillBy | None:
    """Whose fill it is by the order's id, where the trade does not know the order; None where it is none of this trade's: another
    trade's, or somebody who adds to the position. `client_id` "": the venue does not tell it any more."""
    lessens = side == ("SELL" if trade.direction == "long" else "BUY")
    tag = read_client_id(client_id)
    if tag is not None and tag.account == trade.account_letters:
        if tag.sender == "guard":
            return "guard" if lessens else None
        return "executor" if tag.signal == trade.signal_letters else None
    if not lessens:
        return None
    if is_forced(client_id):
        return forced_by(client_id)
    return "person" if client_id else "stranger"


def is_forced(client_id: str) -> bool:
    """Whether it is the venue's own order."""
    return any(client_id.startswith(beginning) for beginning, _ in _FORCED)


def forced_by(client_id: str) -> FillBy:
    """Whose a forced order is, by its id; a liquidation where the id says nothing."""
    return next((by for beginning, by in _FORCED if client_id.startswith(beginning)), "liquidation")
