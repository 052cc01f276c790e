"""Answers about an account to the port's types: pure; what does not fit its documented shape is `MalformedAnswer`.

Source of the shapes: reference facts of the USD-M API, 6.1 to 6.4, 7 and 13.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from libs.exchanges.decimals import finite_decimal
from libs.exchanges.decoding import decoded, malformed
from libs.exchanges.trading import (
    AccountTerms,
    AlgoState,
    Balance,
    Execution,
    FeeRates,
    Holdings,
    IncomeEntry,
    KeyRights,
    OrderState,
    Position,
    PositionSide,
    Side,
    SymbolTerms,
)
from libs.kit.errors import BadMessage

MOST_FEE = Decimal("0.01")
Row = TypeVar("Row", bound=msgspec.Struct)
Found = TypeVar("Found")
PRICE_DIGITS = 8


class _Struct(msgspec.Struct, rename="camel"):
    """The venue writes camelCase."""


class _Order(_Struct):
    order_id: int
    symbol: str
    status: str
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    type: str
    orig_type: str
    reduce_only: bool
    close_position: bool
    side: Side
    position_side: PositionSide
    update_time: int
    avg_price: str | None = None


class _Algo(_Struct):
    algo_id: int
    client_algo_id: str
    order_type: str
    symbol: str
    side: Side
    position_side: PositionSide
    quantity: str
    algo_status: str
    trigger_price: str
    working_type: str
    close_position: bool
    reduce_only: bool
    update_time: int
    actual_order_id: str = ""
    actual_qty: str = ""


class _Position(_Struct):
    symbol: str
    position_side: PositionSide
    position_amt: str
    entry_price: str
    mark_price: str
    un_realized_profit: str
    liquidation_price: str
    update_time: int


class _Balance(_Struct):
    asset: str
    balance: str
    available_balance: str
    cross_un_pnl: str


class _Asset(_Struct):
    asset: str
    wallet_balance: str
    available_balance: str
    cross_un_pnl: str


class _Held(_Struct):
    symbol: str
    position_side: PositionSide
    position_amt: str
    unrealized_profit: str
    notional: str
    update_time: int


class _Account(_Struct):
    assets: list[_Asset]
    positions: list[_Held]


class _Trade(_Struct):
    id: int
    order_id: int
    symbol: str
    side: Side
    position_side: PositionSide
    price: str
    qty: str
    commission: str
    commission_asset: str
    realized_pnl: str
    maker: bool
    time: int


class _Income(_Struct):
    symbol: str
    income_type: str
    income: str
    asset: str
    time: int
    tran_id: int
    trade_id: str | int = ""
    info: str = ""


class _SymbolConfig(_Struct):
    symbol: str
    margin_type: str
    leverage: int
    max_notional_value: str


class _CommissionRate(_Struct):
    maker_commission_rate: str
    taker_commission_rate: str


class _AccountConfig(_Struct):
    dual_side_position: bool
    multi_assets_margin: bool
    can_trade: bool


class _Restrictions(_Struct):
    enable_futures: bool
    enable_withdrawals: bool
    enable_internal_transfer: bool
    ip_restrict: bool
    permits_universal_transfer: bool = False


class _ListenKey(_Struct):
    listen_key: str


def _filled(body: bytes, work: Callable[[], Found]) -> Found:
    try:
        return work()
    except (BadMessage, ValueError) as error:
        raise malformed(f"a number that is none: {error}", body) from None


def _all(body: bytes, kind: type[Row], made: Callable[[Row], Found]) -> list[Found]:
    rows: Sequence[Row] = decoded(body, list[kind])  # type: ignore[valid-type]
    return _filled(body, lambda: [made(row) for row in rows])


def _one(body: bytes, kind: type[Row], made: Callable[[Row], Found]) -> Found:
    row = decoded(body, kind)
    return _filled(body, lambda: made(row))


def amount(text: str) -> Decimal:
    """A finite number. Raises `BadMessage`."""
    return finite_decimal(text)


def amount_or_zero(text: str) -> Decimal:
    """The same of a field that may not apply, for which the venue writes an empty text: 0 then."""
    return finite_decimal(text) if text else Decimal(0)


def _order(row: _Order) -> OrderState:
    return OrderState(
        order_id=row.order_id,
        client_id=row.client_order_id,
        symbol=row.symbol,
        side=row.side,
        position_side=row.position_side,
        status=row.status,
        kind=row.type,
        original_kind=row.orig_type,
        quantity=amount(row.orig_qty),
        executed=amount(row.executed_qty),
        average_price=None if row.avg_price is None else amount(row.avg_price),
        price=amount(row.price),
        reduce_only=row.reduce_only,
        close_position=row.close_position,
        updated_ms=row.update_time,
    )


def _algo(row: _Algo) -> AlgoState:
    return AlgoState(
        algo_id=row.algo_id,
        client_id=row.client_algo_id,
        symbol=row.symbol,
        side=row.side,
        position_side=row.position_side,
        status=row.algo_status,
        kind=row.order_type,
        quantity=amount_or_zero(row.quantity),
        trigger_price=amount_or_zero(row.trigger_price),
        close_position=row.close_position,
        reduce_only=row.reduce_only,
        working_type=row.working_type,
        order_id=int(row.actual_order_id) if row.actual_order_id else None,
        executed=amount(row.actual_qty) if row.actual_qty else None,
        updated_ms=row.update_time,
    )


def order(body: bytes) -> OrderState:
    """One order."""
    return _one(body, _Order, _order)


def orders(body: bytes) -> list[OrderState]:
    """Several."""
    return _all(body, _Order, _order)


def algo(body: bytes) -> AlgoState:
    """One conditional order."""
    return _one(body, _Algo, _algo)


def algos(body: bytes) -> list[AlgoState]:
    """Several."""
    return _all(body, _Algo, _algo)


def positions(body: bytes) -> list[Position]:
    """positionRisk v3."""

    def made(row: _Position) -> Position:
        return Position(
            symbol=row.symbol,
            position_side=row.position_side,
            amount=amount(row.position_amt),
            entry_price=amount(row.entry_price),
            mark_price=amount(row.mark_price),
            unrealised=amount(row.un_realized_profit),
            liquidation_price=amount(row.liquidation_price),
            updated_ms=row.update_time,
        )

    return _all(body, _Position, made)


def balances(body: bytes) -> list[Balance]:
    """balance v3."""

    def made(row: _Balance) -> Balance:
        return Balance(row.asset, amount(row.balance), amount(row.available_balance), amount(row.cross_un_pnl))

    return _all(body, _Balance, made)


def holdings(body: bytes) -> Holdings:
    """account v3."""

    def made(row: _Account) -> Holdings:
        balances = [
            Balance(one.asset, amount(one.wallet_balance), amount(one.available_balance), amount(one.cross_un_pnl))
            for one in row.assets
        ]
        return Holdings(balances, [_held(one) for one in row.positions])

    return _one(body, _Account, made)


def _held(row: _Held) -> Position:
    """It has no prices: the mark price follows from what the position is worth, the entry price from what it has made."""
    held, unrealised = amount(row.position_amt), amount(row.unrealized_profit)
    mark = abs(amount(row.notional) / held) if held else Decimal(0)
    entry = mark - unrealised / held if held else Decimal(0)
    return Position(
        symbol=row.symbol,
        position_side=row.position_side,
        amount=held,
        entry_price=round(entry, PRICE_DIGITS),
        mark_price=round(mark, PRICE_DIGITS),
        unrealised=unrealised,
        liquidation_price=Decimal(0),
        updated_ms=row.update_time,
    )


def executions(body: bytes) -> list[Execution]:
    """userTrades."""

    def made(row: _Trade) -> Execution:
        return Execution(
            trade_id=row.id,
            order_id=row.order_id,
            symbol=row.symbol,
            side=row.side,
            position_side=row.position_side,
            price=amount(row.price),
            quantity=amount(row.qty),
            fee=amount(row.commission),
            fee_asset=row.commission_asset,
            realised=amount(row.realized_pnl),
            is_maker=row.maker,
            time_ms=row.time,
        )

    return _all(body, _Trade, made)


def income(body: bytes) -> list[IncomeEntry]:
    """The statement."""

    def made(row: _Income) -> IncomeEntry:
        return IncomeEntry(
            kind=row.income_type,
            symbol=row.symbol,
            amount=amount(row.income),
            asset=row.asset,
            time_ms=row.time,
            transaction_id=row.tran_id,
            trade_id=str(row.trade_id),
            info=row.info,
        )

    return _all(body, _Income, made)


def symbol_terms(body: bytes, symbol: str) -> SymbolTerms:
    """symbolConfig, which answers with a list. Raises `MalformedAnswer` when the symbol is not in it."""
    found = _all(
        body,
        _SymbolConfig,
        lambda row: SymbolTerms(row.symbol, row.leverage, row.margin_type, amount(row.max_notional_value)),
    )
    for terms in found:
        if terms.symbol == symbol:
            return terms
    raise malformed(f"{symbol} is not in it", body)


def fee_rates(body: bytes) -> FeeRates:
    """commissionRate. Raises `MalformedAnswer` for rates beyond 1 % or a taker's below 0: the venue has none, and a size or a
    break-even stop that is made with them would be absurd."""

    def made(row: _CommissionRate) -> FeeRates:
        return FeeRates(amount(row.taker_commission_rate), amount(row.maker_commission_rate))

    found = _one(body, _CommissionRate, made)
    if not 0 <= found.taker <= MOST_FEE or abs(found.maker) > MOST_FEE:
        raise malformed("no rates of fees", body)
    return found


def account_terms(body: bytes) -> AccountTerms:
    """accountConfig."""
    row = decoded(body, _AccountConfig)
    return AccountTerms(row.dual_side_position, row.multi_assets_margin, row.can_trade)


def key_rights(body: bytes) -> KeyRights:
    """apiRestrictions of the spot host."""
    row = decoded(body, _Restrictions)
    transfers = row.enable_internal_transfer or row.permits_universal_transfer
    return KeyRights(row.enable_futures, row.enable_withdrawals, transfers, row.ip_restrict)


def listen_key(body: bytes) -> str:
    """A listen key. Raises `MalformedAnswer` for one that could not stand in an address."""
    key = decoded(body, _ListenKey).listen_key
    if not (key.isascii() and key.isalnum()):
        raise malformed("no listen key", b"")
    return key
