"""Messages of Binance's user stream to events. Pure. Source of the shapes: reference facts, 7."""

from typing import Any

import msgspec

from libs.exchanges.binance.account_answers import amount, amount_or_zero
from libs.exchanges.decoding import decoded, malformed
from libs.exchanges.trading import AlgoState, Execution, OrderState, PositionSide, Side
from libs.exchanges.user_events import (
    AccountTold,
    AlgoTold,
    LeverageTold,
    MarginCallTold,
    OrderTold,
    PositionTold,
    StreamExpired,
    UserEvent,
)
from libs.kit.errors import BadMessage

FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""How client ids of orders begin that the venue itself has made."""
HEARD = (
    "ORDER_TRADE_UPDATE",
    "ACCOUNT_UPDATE",
    "ALGO_UPDATE",
    "ACCOUNT_CONFIG_UPDATE",
    "MARGIN_CALL",
    "listenKeyExpired",
)
"""What is asked for: without a list, production has been seen to tell nothing (reference facts, 0)."""


class _Head(msgspec.Struct):
    kind: str = msgspec.field(name="e", default="")
    event_ms: int = msgspec.field(name="E", default=0)


class _Order(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: Side = msgspec.field(name="S")
    kind: str = msgspec.field(name="o")
    quantity: str = msgspec.field(name="q")
    price: str = msgspec.field(name="p")
    average: str = msgspec.field(name="ap")
    change: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order_id: int = msgspec.field(name="i")
    last_quantity: str = msgspec.field(name="l")
    executed: str = msgspec.field(name="z")
    last_price: str = msgspec.field(name="L")
    time_ms: int = msgspec.field(name="T")
    trade_id: int = msgspec.field(name="t")
    is_maker: bool = msgspec.field(name="m")
    reduce_only: bool = msgspec.field(name="R")
    original_kind: str = msgspec.field(name="ot")
    position_side: PositionSide = msgspec.field(name="ps")
    close_position: bool = msgspec.field(name="cp")
    realised: str = msgspec.field(name="rp")
    fee: str = msgspec.field(name="n", default="0")
    fee_asset: str = msgspec.field(name="N", default="")


class _OrderUpdate(msgspec.Struct):
    event_ms: int = msgspec.field(name="E")
    order: _Order = msgspec.field(name="o")


class _Algo(msgspec.Struct):
    client_id: str = msgspec.field(name="caid")
    algo_id: int = msgspec.field(name="aid")
    kind: str = msgspec.field(name="o")
    symbol: str = msgspec.field(name="s")
    side: Side = msgspec.field(name="S")
    position_side: PositionSide = msgspec.field(name="ps")
    quantity: str = msgspec.field(name="q")
    status: str = msgspec.field(name="X")
    order_id: str = msgspec.field(name="ai")
    trigger_price: str = msgspec.field(name="tp")
    working_type: str = msgspec.field(name="wt")
    close_position: bool = msgspec.field(name="cp")
    reduce_only: bool = msgspec.field(name="R")
    executed: str = msgspec.field(name="aq", default="")
    reason: str = msgspec.field(name="rm", default="")


class _AlgoUpdate(msgspec.Struct):
    event_ms: int = msgspec.field(name="E")
    time_ms: int = msgspec.field(name="T")
    algo: _Algo = msgspec.field(name="o")


class _Wallet(msgspec.Struct):
    asset: str = msgspec.field(name="a")
    wallet: str = msgspec.field(name="wb")


class _Position(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    amount: str = msgspec.field(name="pa")
    entry: str = msgspec.field(name="ep")
    position_side: PositionSide = msgspec.field(name="ps")


class _Account(msgspec.Struct):
    reason: str = msgspec.field(name="m")
    wallets: list[_Wallet] = msgspec.field(name="B", default_factory=list)
    positions: list[_Position] = msgspec.field(name="P", default_factory=list)


class _AccountUpdate(msgspec.Struct):
    event_ms: int = msgspec.field(name="E")
    account: _Account = msgspec.field(name="a")


class _Leverage(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    leverage: int = msgspec.field(name="l")


class _ConfigUpdate(msgspec.Struct):
    event_ms: int = msgspec.field(name="E")
    symbol: _Leverage | None = msgspec.field(name="ac", default=None)


class _CalledPosition(msgspec.Struct):
    symbol: str = msgspec.field(name="s")


class _MarginCall(msgspec.Struct):
    event_ms: int = msgspec.field(name="E")
    positions: list[_CalledPosition] = msgspec.field(name="p")


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"")


def read_user_event(message: bytes) -> UserEvent | None:
    """The event, or None for a type that we do not use, a control answer, or a config change of no symbol.

    Raises `MalformedAnswer` for one of our types that does not fit its documented shape.
    """
    enveloped = bytes(decoded(message, _Envelope).data)
    body = enveloped or message
    reader = _READERS.get(decoded(body, _Head).kind)
    if reader is None:
        return None
    try:
        found: UserEvent | None = reader(body)
        return found
    except (BadMessage, ValueError) as error:
        raise malformed(f"a number that is none: {error}", body) from None


def _order_told(body: bytes) -> OrderTold:
    found = decoded(body, _OrderUpdate)
    row = found.order
    state = OrderState(
        order_id=row.order_id,
        client_id=row.client_id,
        symbol=row.symbol,
        side=row.side,
        position_side=row.position_side,
        status=row.status,
        kind=row.kind,
        original_kind=row.original_kind,
        quantity=amount(row.quantity),
        executed=amount(row.executed),
        average_price=amount(row.average),
        price=amount(row.price),
        reduce_only=row.reduce_only,
        close_position=row.close_position,
        updated_ms=row.time_ms,
    )
    is_forced = row.change == "CALCULATED" or row.client_id.startswith(FORCED)
    return OrderTold(state, _execution(row), is_forced, found.event_ms)


def _execution(row: _Order) -> Execution | None:
    """A change is a fill when it has a trade's id and a quantity, whatever it is called."""
    quantity = amount(row.last_quantity)
    if row.trade_id <= 0 or quantity <= 0:
        return None
    return Execution(
        trade_id=row.trade_id,
        order_id=row.order_id,
        symbol=row.symbol,
        side=row.side,
        position_side=row.position_side,
        price=amount(row.last_price),
        quantity=quantity,
        fee=amount(row.fee),
        fee_asset=row.fee_asset,
        realised=amount(row.realised),
        is_maker=row.is_maker,
        time_ms=row.time_ms,
    )


def _algo_told(body: bytes) -> AlgoTold:
    found = decoded(body, _AlgoUpdate)
    row = found.algo
    state = AlgoState(
        algo_id=row.algo_id,
        client_id=row.client_id,
        symbol=row.symbol,
        side=row.side,
        position_side=row.position_side,
        status=row.status,
        kind=row.kind,
        quantity=amount_or_zero(row.quantity),
        trigger_price=amount_or_zero(row.trigger_price),
        close_position=row.close_position,
        reduce_only=row.reduce_only,
        working_type=row.working_type,
        order_id=int(row.order_id) if row.order_id else None,
        executed=amount(row.executed) if row.executed else None,
        updated_ms=found.time_ms,
        reason=row.reason,
    )
    return AlgoTold(state, found.event_ms)


def _account_told(body: bytes) -> AccountTold:
    found = decoded(body, _AccountUpdate)
    wallets = {row.asset: amount(row.wallet) for row in found.account.wallets}
    positions = tuple(
        PositionTold(row.symbol, row.position_side, amount(row.amount), amount(row.entry))
        for row in found.account.positions
    )
    return AccountTold(found.account.reason, wallets, positions, found.event_ms)


def _leverage_told(body: bytes) -> LeverageTold | None:
    found = decoded(body, _ConfigUpdate)
    return LeverageTold(found.symbol.symbol, found.symbol.leverage, found.event_ms) if found.symbol else None


def _margin_call(body: bytes) -> MarginCallTold:
    found = decoded(body, _MarginCall)
    return MarginCallTold(tuple(row.symbol for row in found.positions), found.event_ms)


def _expired(body: bytes) -> StreamExpired:
    return StreamExpired(decoded(body, _Head).event_ms)


_READERS: dict[str, Any] = {
    "ORDER_TRADE_UPDATE": _order_told,
    "ALGO_UPDATE": _algo_told,
    "ACCOUNT_UPDATE": _account_told,
    "ACCOUNT_CONFIG_UPDATE": _leverage_told,
    "MARGIN_CALL": _margin_call,
    "listenKeyExpired": _expired,
}
