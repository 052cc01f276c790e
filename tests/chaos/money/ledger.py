"""The exchange's ledger read as positions: whose each fill is, and whose the position is after it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.document import Fill as Booked
from libs.trading.execution.document import Trade
from libs.trading.execution.exposure import OPENING
from services.exchange_simulator.trading.account import Account, Position
from services.exchange_simulator.trading.orders import SIGN, ZERO, Fill

_GRAIN = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Piece:
    """A ledger's fill, and the trade that owns the position which it changed: whose entry opened it, or who has adopted it; None:
    somebody else's. `adds`: it made the position larger. `heir`: whose the position is after it. `share`: of it, that has closed
    the owner's position; 1 for whatever does not turn it around. Without a fill: at that time the heir has adopted the position.
    """

    symbol: str
    time_ms: int
    fill: Fill | None
    owner: str | None
    adds: bool
    heir: str | None
    share: Decimal = Decimal(1)


def opening_of(trade: Trade) -> Booked | None:
    """What an adopted trade begins with: no fill of the venue's, but what that has said of the position."""
    return next((fill for fill in trade.fills if fill.trade_id <= OPENING), None) if trade.origin == "adopted" else None


def was_held(account: Account, symbol: str, opening: Booked, between_ms: tuple[int, int]) -> bool:
    """Whether the symbol's position was what an opening says of it, at some moment of that time."""
    position, since_ms = Position(symbol, "BOTH"), 0
    for fill in [one for one in account.book.fills if one.order.request.symbol == symbol]:
        if since_ms <= between_ms[1] and fill.time_ms > between_ms[0] and _is(position, opening):
            return True
        position.take(fill.order.request.side, fill.quantity, fill.price)
        since_ms = fill.time_ms
    return since_ms <= between_ms[1] and _is(position, opening)


def _is(position: Position, opening: Booked) -> bool:
    is_amount = position.amount == SIGN[opening.side] * opening.quantity
    return is_amount and abs(position.entry - opening.price) <= _GRAIN


def pieces(account: Account, documents: Mapping[str, Trade]) -> Iterator[Piece]:
    """Positions from flat to flat, or to where nothing but a stranger's is left; legs of hedge mode each by itself. A fill that
    goes through zero closes one and begins the next."""
    walk = _Walk({trade.signal_letters: trade.trade_id for trade in documents.values() if trade.signal_letters})
    adoptions = sorted(
        (opening.time_ms, trade.symbol, trade.trade_id)
        for trade in documents.values()
        if (opening := opening_of(trade)) is not None
    )
    for fill in account.book.fills:
        while adoptions and adoptions[0][0] < fill.time_ms:
            yield from walk.adopt(*adoptions.pop(0))
        yield walk.take(fill)
    for adoption in adoptions:
        yield from walk.adopt(*adoption)


@dataclass
class _Walk:
    """`letters`: trades by what stands for them in ids. `own`: how much of each position is its owner's."""

    letters: Mapping[str, str]
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    own: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    owners: dict[str, str | None] = field(default_factory=dict)

    def adopt(self, time_ms: int, symbol: str, trade_id: str) -> Iterator[Piece]:
        """Only what is nobody's can be adopted."""
        if self.amounts[symbol] and self.owners.get(symbol) is None:
            self.owners[symbol], self.own[symbol] = trade_id, abs(self.amounts[symbol])
            yield Piece(symbol, time_ms, None, None, adds=False, heir=trade_id)

    def take(self, fill: Fill) -> Piece:
        request = fill.order.request
        symbol = request.symbol if request.position_side == "BOTH" else f"{request.symbol} {request.position_side}"
        before = self.amounts[symbol]
        self.amounts[symbol] = after = before + SIGN[request.side] * fill.quantity
        tag = read_client_id(request.client_id)
        is_entry = tag is not None and tag.sender == "executor" and tag.leg == "entry"
        if not before:
            self.owners[symbol] = self._trade_of(tag.signal) if tag and is_entry else None
            self.own[symbol] = ZERO
        adds = abs(after) > abs(before) and before * after >= 0
        self.own[symbol] += (fill.quantity if is_entry else ZERO) if adds else -fill.quantity
        owner = self.owners[symbol]
        if before * after < 0 or self.own[symbol] <= 0:
            self.owners[symbol] = None
        turns = before * after < 0 and tag is None and owner is not None
        share = abs(before) / fill.quantity if turns else Decimal(1)
        return Piece(symbol, fill.time_ms, fill, owner, adds, self.owners[symbol], share)

    def _trade_of(self, signal: str) -> str:
        return self.letters.get(signal, f"unknown {signal}")
