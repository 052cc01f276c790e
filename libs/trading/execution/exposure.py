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
from libs.trading.execution.document import FillBy, Trade
from libs.trading.execution.facts import ExecutionSeen, Filled
from libs.trading.execution.findings import FindingName

ZERO = Decimal(0)
OPENING = 0
"""The number of the fill that an adopted trade begins with: what the venue said of the position. Its own are above 0."""
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
    "liquidation": "liquidated",
    "adl": "deleveraged",
    "settlement": "settled",
    "person": "closed_by_hand",
    "stranger": "closed_by_hand",
}


@dataclass(frozen=True, slots=True)
class Attributed:
    """`facts`: fills of trades that their documents do not have yet, with whose they are. `unnamed`: numbers of orders whose
    client ids have to be asked for first; then nothing else of it counts. `extra`: what is somebody else's of the position.
    `change`: what the facts add to what our trades hold."""

    facts: tuple[tuple[str, Filled], ...]
    unnamed: tuple[int, ...]
    extra: Decimal
    change: Decimal


def signed(side: str, quantity: Decimal) -> Decimal:
    """The quantity, below 0 where it was sold."""
    return quantity if side == "BUY" else -quantity


def left_of(trade: Trade) -> Decimal:
    """What the trade's document holds of the position."""
    return sum((signed(fill.side, fill.quantity) for fill in trade.fills), ZERO)


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
    return "guard" if tag.sender == "guard" else "stranger"


def attribute(trades: Sequence[Trade], fills: Sequence[ExecutionSeen], names: Mapping[int, str]) -> Attributed:
    """Go through all fills of a symbol since the first one of its open trades. `names`: client ids by the venue's number of an
    order, as far as they were asked for ("": it is not told any more)."""
    walk = _Walk(trades, names)
    for fill in sorted(fills, key=lambda one: one.trade_id):
        walk.take(fill)
    change = sum((signed(fact.execution.side, fact.execution.quantity) for _, fact in walk.facts), ZERO)
    return Attributed(tuple(walk.facts), tuple(dict.fromkeys(walk.unnamed)), walk.extra, change)


class _Walk:
    """One pass over a list."""

    def __init__(self, trades: Sequence[Trade], names: Mapping[int, str]) -> None:
        self.facts: list[tuple[str, Filled]] = []
        self.unnamed: list[int] = []
        self.extra = ZERO
        self._names = names
        self._left = {trade.trade_id: _opening_of(trade) for trade in trades}
        self._booked = {fill.trade_id: (trade.trade_id, fill) for trade in trades for fill in trade.fills}
        self._orders: dict[int, tuple[str, str]] = {}
        self._of_client = {order.client_id: trade.trade_id for trade in trades for order in trade.orders}
        self._letters = {trade.signal_letters: trade.trade_id for trade in trades if trade.signal_letters}
        for trade in trades:
            for order in trade.orders:
                number = order.order_id if order.is_conditional else (order.order_id or order.venue_id)
                if number is not None:
                    self._orders[number] = trade.trade_id, order.client_id

    def take(self, fill: ExecutionSeen) -> None:
        """One fill."""
        amount = signed(fill.side, fill.quantity)
        if fill.trade_id in self._booked:
            trade_id, booked = self._booked[fill.trade_id]
            self._left[trade_id] += signed(booked.side, booked.quantity)
            self.extra += amount - signed(booked.side, booked.quantity)
            return
        owner, client_id = self._orders.get(fill.order_id, ("", ""))
        client_id = client_id or fill.client_id or self._names.get(fill.order_id, "")
        if not client_id and fill.order_id not in self._names:
            self.unnamed.append(fill.order_id)
            return
        owner = owner or self._of_client.get(client_id, "") or self._of_tag(client_id)
        if owner:
            self._of_ours(owner, replace(fill, client_id=client_id), amount)
        else:
            self._of_others(replace(fill, client_id=client_id), amount)

    def _of_tag(self, client_id: str) -> str:
        """The open trade of which such an id says that it is; its books are older than the order."""
        tag = read_client_id(client_id)
        return self._letters.get(tag.signal, "") if tag is not None and tag.sender == "executor" else ""

    def _of_ours(self, trade_id: str, fill: ExecutionSeen, amount: Decimal) -> None:
        """Our order; one that closes the whole position closes what others have added too, and that part is not ours."""
        left = self._left[trade_id]
        ours = amount if left * amount >= 0 else _towards_zero(amount, left)
        self._book(trade_id, fill, "executor", (ours, amount))
        self.extra += amount - ours

    def _of_others(self, fill: ExecutionSeen, amount: Decimal) -> None:
        by = whose(fill.client_id)
        undone = _towards_zero(amount, self.extra) if by in ("person", "stranger") else ZERO
        self.extra += undone
        rest = amount - undone
        for trade_id, left in self._left.items():
            if ours := _towards_zero(rest, left):
                self._book(trade_id, fill, by, (ours, amount))
                rest -= ours
        self.extra += rest

    def _book(self, trade_id: str, fill: ExecutionSeen, by: FillBy, share: tuple[Decimal, Decimal]) -> None:
        self._left[trade_id] += share[0]
        self.facts.append((trade_id, Filled(_part_of(fill, *share), by)))


def _opening_of(trade: Trade) -> Decimal:
    return sum((signed(fill.side, fill.quantity) for fill in trade.fills if fill.trade_id == OPENING), ZERO)


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
