"""What a document adds up to: how much is held, at what price, what it has made, and why it was left."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from libs.trading.execution.client_ids import Leg
from libs.trading.execution.document import ZERO, Fill, FillBy, OurOrder, Side, Trade
from libs.trading.profit import Profit, Traded, profit_of

BASIS_POINTS = Decimal(10_000)
_EXIT_REASONS: dict[Leg, str] = {
    "stop": "stop_loss",
    "bridge": "stop_loss",
    "break_even": "break_even_stop",
    "take_profit_1": "take_profit_1",
    "take_profit_2": "take_profit_2",
    "trailing": "trailing_stop",
    "close": "closed",
}
_BY_OTHERS: dict[FillBy, str] = {
    "guard": "risk_guard",
    "direct": "flatten_direct",
    "liquidation": "liquidation",
    "adl": "adl",
    "settlement": "settlement",
    "person": "person",
    "stranger": "stranger",
}
_WISH_REASONS = {"hold_limit": "hold_expired", "break_even_passed": "break_even_stop"}


@dataclass(frozen=True, slots=True)
class Holding:
    """What the books say is held, base units. `entered` and `exited` by everybody; `taken`: by the first take-profit; `missing`:
    filled by what the venue said of our orders, and not among the fills yet. `by_exits`: of `exited`, what targets and stops of
    ours have sold; the rest was closed for somebody's wish, or by somebody else."""

    entered: Decimal
    exited: Decimal
    taken: Decimal
    missing: Decimal
    by_exits: Decimal = ZERO

    @property
    def left(self) -> Decimal:
        """What is open, never below 0."""
        return max(ZERO, self.entered - self.exited)


def entry_side(trade: Trade) -> Side:
    """The side that enters it; the other one leaves it."""
    return "BUY" if trade.direction == "long" else "SELL"


def exit_side(trade: Trade) -> Side:
    """The side that leaves it."""
    return "SELL" if trade.direction == "long" else "BUY"


def filled_of(trade: Trade, client_id: str) -> Decimal:
    """What the fills say of one order."""
    return _quantity(fill for fill in trade.fills if fill.client_id == client_id)


def holding_of(trade: Trade) -> Holding:
    """What is held: of each order of ours the larger of what the venue said and what its fills add up to, because either may be
    heard first; of others their fills."""
    into = entry_side(trade)
    by_order: dict[str, Decimal] = {}
    sums = {into: ZERO, exit_side(trade): ZERO}
    known = {order.client_id for order in trade.orders}
    for fill in trade.fills:
        if fill.client_id in known:
            by_order[fill.client_id] = by_order.get(fill.client_id, ZERO) + fill.quantity
        else:
            sums[fill.side] += fill.quantity
    taken = missing = by_exits = ZERO
    for order in trade.orders:
        by_fills = by_order.get(order.client_id, ZERO)
        amount = max(order.executed, by_fills)
        sums[order.side] += amount
        missing += amount - by_fills
        taken += amount if order.leg == "take_profit_1" else ZERO
        by_exits += amount if order.leg not in ("entry", "close") else ZERO
    return Holding(sums[into], sums[exit_side(trade)], taken, missing, by_exits)


def profit_of_trade(trade: Trade) -> Profit:
    """What it has made by its fills (quote units). A fee that nobody has valued yet counts as nothing: see `unvalued_fees`."""
    into = entry_side(trade)
    traded = (Traded(fill.side == into, fill.price, fill.quantity, fill.fee_quote or ZERO) for fill in trade.fills)
    return profit_of(trade.direction, traded, trade.funding)


def unvalued_fees(trade: Trade) -> tuple[Fill, ...]:
    """Fills whose fee is in another asset and not valued yet."""
    return tuple(fill for fill in trade.fills if fill.fee_quote is None)


def r_multiple(trade: Trade, amount: Decimal) -> Decimal | None:
    """An amount in multiples of the initial risk, to 8 decimals; None before R is fixed."""
    if not trade.initial_risk:
        return None
    return (amount / trade.initial_risk).quantize(Decimal("0.00000001"))


def initial_risk_of(trade: Trade, entry_average: Decimal, entered: Decimal) -> Decimal:
    """1 R: |entry - stop| x quantity, quote units, as on paper; where the entry met the stop's own price, the planned risk."""
    if trade.bracket is None:
        return trade.risk
    return abs(entry_average - trade.bracket.stop) * entered or trade.risk


def slippage_bps(trade: Trade, entry_average: Decimal | None) -> Decimal | None:
    """What the entry's average gave away against the signal's price, basis points, above 0 is worse; to 4 decimals."""
    if entry_average is None or not trade.signal_price:
        return None
    sign = 1 if trade.direction == "long" else -1
    gap = sign * (entry_average - trade.signal_price) / trade.signal_price
    return (gap * BASIS_POINTS).quantize(Decimal("0.0001"))


def exit_reason_of(trade: Trade) -> str | None:
    """Why it was left, by its last exit: whose it was, or of which leg; a close says what it was wished for."""
    exits = [fill for fill in trade.fills if fill.side == exit_side(trade)]
    if not exits:
        return None
    last = max(exits, key=lambda fill: (fill.time_ms, fill.trade_id))
    if last.by != "executor" or last.leg is None:
        return _BY_OTHERS.get(last.by, "stranger")
    if last.leg == "close":
        return wish_reason(trade, next((one for one in trade.orders if one.client_id == last.client_id), None))
    return _EXIT_REASONS.get(last.leg, last.leg)


def wish_reason(trade: Trade, order: OurOrder | None) -> str:
    """What a close was wished for, in the words of profit tables."""
    wish_id = "" if order is None else order.wish_id
    found = next((wish.reason for wish in trade.closes if wish.wish_id == wish_id), "closed")
    return _WISH_REASONS.get(found, found)


def _quantity(fills: Iterable[Fill]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)


def last_trade_ms(trade: Trade) -> int:
    """When something of it was last filled, as far as is known; 0 before the first fill."""
    told = [order.updated_ms for order in trade.orders if order.executed > ZERO]
    return max([*(fill.time_ms for fill in trade.fills), *told], default=0)
