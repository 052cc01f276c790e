"""From the words of the port to an account to facts about a trade. Pure."""

from decimal import Decimal

from libs.exchanges.trading import AlgoState, Execution, OrderState
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.facts import AlgoSeen, ExecutionSeen, OrderSeen, algo_status, order_status

QUOTE_ASSETS = frozenset({"USDT", "USDC", "BUSD", "FDUSD"})
"""Assets in which contracts are quoted: a fee in one of them is its own worth."""


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
