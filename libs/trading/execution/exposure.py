"""Whose the fills of a symbol are: what our trades hold of the position at the venue, and what is somebody else's.

A position at the venue is one sum. Fills of our orders are ours; what others buy or sell first undoes what others have done, and
only then lessens ours; what the guard or the venue itself closes lessens ours first. So the same list gives the same answer,
whenever it is read. It begins with the first fill of the trade, when the symbol was flat, or after what was adopted. Quantities
are base units, below 0: short.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.document import Fill, FillBy, Trade
from libs.trading.execution.facts import ExecutionSeen, Filled
from libs.trading.execution.findings import FindingName
from libs.trading.execution.sums import holding_of

ZERO = Decimal(0)
OPENING = 0
"""Up to here are the numbers of fills that adopted trades begin with: what the venue said of the position. Its own are above."""
FEE_GRAIN = Decimal("1e-12")
FORCED: tuple[tuple[str, FillBy, FindingName], ...] = (
    ("autoclose-", "liquidation", "liquidated"),
    ("adl_autoclose", "adl", "deleveraged"),
    ("settlement_autoclose-", "settlement", "settled"),
)
"""How ids begin of orders that the venue itself has made (reference facts, 7)."""
_FINDING_OF: dict[FillBy, FindingName] = {
    "executor": "missed_fill",
    "guard": "guard_acted",
    "direct": "closed_by_hand",
    "liquidation": "liquidated",
    "adl": "deleveraged",
    "settlement": "settled",
    "person": "closed_by_hand",
    "stranger": "closed_by_hand",
}
_OTHERS: frozenset[FillBy] = frozenset(("person", "stranger"))


@dataclass(frozen=True, slots=True)
class Attributed:
    """`facts`: fills of trades that their documents do not have yet, with whose they are. `unnamed`: numbers of orders whose
    client ids have to be asked for first; then nothing else of it counts. `ours`: what our trades hold after all of it; `extra`:
    what is somebody else's of the position."""

    facts: tuple[tuple[str, Filled], ...]
    unnamed: tuple[int, ...]
    ours: Decimal
    extra: Decimal


def signed(side: str, quantity: Decimal) -> Decimal:
    """The quantity, below 0 where it was sold."""
    return quantity if side == "BUY" else -quantity


def held_of(trade: Trade) -> Decimal:
    """What the trade's document holds of the position."""
    left = holding_of(trade).left
    return left if trade.direction == "long" else -left


def finding_of(by: FillBy) -> FindingName:
    """What it means that such a fill was not known."""
    return _FINDING_OF[by]


def whose(client_id: str) -> FillBy:
    """Who has sent an order that no open trade of ours knows; "" is an order of which the venue does not tell the id any more."""
    if not client_id:
        return "stranger"
    for start, by, _ in FORCED:
        if client_id.startswith(start):
            return by
    tag = read_client_id(client_id)
    if tag is None:
        return "person"
    return "stranger" if tag.sender == "executor" else tag.sender


def attribute(trades: Sequence[Trade], fills: Sequence[ExecutionSeen], names: Mapping[int, str]) -> Attributed:
    """Go through all fills of a symbol since the first one of its open trades. `names`: client ids by the venue's number of an
    order, as far as they were asked for ("": it is not told any more)."""
    opened = [fill.time_ms for trade in trades for fill in trade.fills if fill.trade_id <= OPENING]
    # What was adopted contains all that was filled before it.
    counted = [fill for fill in fills if fill.time_ms > max(opened, default=-1)]
    walk = _Walk(trades, names, frozenset(fill.trade_id for fill in counted))
    for fill in sorted(counted, key=lambda one: one.trade_id):
        walk.take(fill)
    return Attributed(tuple(walk.facts), tuple(dict.fromkeys(walk.unnamed)), sum(walk.left.values(), ZERO), walk.extra)


class _Walk:
    """One pass over a list."""

    def __init__(self, trades: Sequence[Trade], names: Mapping[int, str], listed: frozenset[int]) -> None:
        self.facts: list[tuple[str, Filled]] = []
        self.unnamed: list[int] = []
        self.extra = ZERO
        self.left = {trade.trade_id: _unlisted(trade, listed) for trade in trades}
        self._into = {trade.trade_id: 1 if trade.direction == "long" else -1 for trade in trades}
        self._names = names
        self._booked: dict[int, tuple[str, Fill]] = {}
        self._orders: dict[int, tuple[str, str]] = {}
        self._of_client: dict[str, str] = {}
        for trade in trades:
            self._know(trade)
        self._letters = {trade.signal_letters: trade.trade_id for trade in trades if trade.signal_letters}

    def _know(self, trade: Trade) -> None:
        self._booked |= {fill.trade_id: (trade.trade_id, fill) for fill in trade.fills}
        for order in trade.orders:
            self._of_client[order.client_id] = trade.trade_id
            number = order.order_id if order.is_conditional else order.venue_id
            if number is not None:
                self._orders[number] = trade.trade_id, order.client_id

    def take(self, fill: ExecutionSeen) -> None:
        """One fill."""
        amount = signed(fill.side, fill.quantity)
        if fill.trade_id in self._booked:
            trade_id, booked = self._booked[fill.trade_id]
            part = signed(booked.side, booked.quantity)
            self._move(trade_id, part)
            self.extra += amount - part
            return
        owner, client_id = self._orders.get(fill.order_id, ("", ""))
        client_id = client_id or fill.client_id or self._names.get(fill.order_id, "")
        if not client_id and fill.order_id not in self._names:
            self.unnamed.append(fill.order_id)
            return
        named = replace(fill, client_id=client_id)
        owner = owner or self._of_client.get(client_id, "") or self._of_tag(client_id)
        if owner:
            self._move(owner, amount)
            self.facts.append((owner, Filled(named)))
        else:
            self._of_others(named, amount)

    def _of_tag(self, client_id: str) -> str:
        """The open trade of which such an id says that it is; its books are older than the order."""
        tag = read_client_id(client_id)
        return self._letters.get(tag.signal, "") if tag is not None and tag.sender == "executor" else ""

    def _move(self, trade_id: str, amount: Decimal) -> None:
        """A stop that closes the whole position closes what others have added as well: a trade never holds less than nothing."""
        left = self.left[trade_id] + amount
        over = left if left * self._into[trade_id] < 0 else ZERO
        self.left[trade_id] = left - over
        self.extra += over

    def _of_others(self, fill: ExecutionSeen, amount: Decimal) -> None:
        by = whose(fill.client_id)
        undone = _towards_zero(amount, self.extra) if by in _OTHERS else ZERO
        rest = amount - undone
        self.extra += undone
        for trade_id, left in self.left.items():
            if ours := _towards_zero(rest, left):
                self.left[trade_id] += ours
                self.facts.append((trade_id, Filled(_part_of(fill, ours, amount), by)))
                rest -= ours
        self.extra += rest


def _unlisted(trade: Trade, listed: frozenset[int]) -> Decimal:
    """What the trade's fills outside the list come to: an opening that was adopted, and what the list does not reach back to."""
    outside = (signed(fill.side, fill.quantity) for fill in trade.fills if fill.trade_id not in listed)
    return sum(outside, ZERO)


def _towards_zero(amount: Decimal, of: Decimal) -> Decimal:
    """The part of `amount` that lessens `of`; 0 where it does not."""
    if amount * of >= 0:
        return ZERO
    return max(amount, -of) if amount < 0 else min(amount, -of)


def _part_of(fill: ExecutionSeen, part: Decimal, whole: Decimal) -> ExecutionSeen:
    """The fill with only a part of its quantity, and the fee of that part; what it realised is of what it closed."""
    if part == whole:
        return fill
    fee = (fill.fee * part / whole).quantize(FEE_GRAIN)
    quote = None if fill.fee_quote is None else (fill.fee_quote * part / whole).quantize(FEE_GRAIN)
    return replace(fill, quantity=abs(part), fee=fee, fee_quote=quote)
