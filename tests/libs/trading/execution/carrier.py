"""Carries out a trade's moves at the model venue as an executor does: written down before anything is sent, and mortal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.signals import TakeProfitType
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.decision import Ask, Cancel, Fetch, Move, Note, Permits, Place, Wait, next_moves
from libs.trading.execution.document import Bracket, Direction, OurOrder, Trade
from libs.trading.execution.entry import EntryTerms, Naming, entered
from libs.trading.execution.facts import (
    Fact,
    Filled,
    FillsRead,
    FundingRead,
    Intended,
    NeverSent,
    NotFound,
    PositionSeen,
    Refused,
    Restarted,
    Sending,
    Unclear,
)
from libs.trading.execution.folds import fold
from libs.trading.execution.wish import EntryWish
from libs.trading.filters import SymbolFilters
from tests.libs.trading.execution.model_venue import Fate, ModelVenue

FILTERS = SymbolFilters(
    "BTCUSDT", Decimal("0.1"), Decimal("0.001"), min_quantity=Decimal("0.002"), min_notional=Decimal("0.1")
)
START_MS, WINDOW_MS, VALID_MS, HOLD_MS = 1_000_000, 1_000, 15_000, 600_000
PRICE = Decimal(100)
ALLOWED = Permits(entries=True)


def a_wish(direction: Direction = "long", kind: TakeProfitType = "limit", trailing: Decimal | None = None) -> EntryWish:
    """Stop 10 away, targets 10 and 20."""
    sign = 1 if direction == "long" else -1
    bracket = Bracket(
        stop=PRICE - sign * 10,
        take_profit_1=PRICE + sign * 10,
        take_profit_2=PRICE + sign * 20,
        hold_until_ms=START_MS + HOLD_MS,
        take_profit_type=kind,
    )
    return EntryWish(
        trade_id="signal-1",
        origin="signal",
        symbol="BTCUSDT",
        direction=direction,
        price=PRICE,
        bracket=bracket,
        valid_until_ms=START_MS + VALID_MS,
        strategy="one",
        version=1,
        signal_ms=START_MS,
        trailing_distance=trailing,
    )


def a_trade(
    direction: Direction = "long",
    risk: Decimal = Decimal("0.1"),
    kind: TakeProfitType = "limit",
    trailing: Decimal | None = None,
) -> Trade:
    """Meant and not sent; 1 R of 0.1 is a quantity of 0.010."""
    wish, config = a_wish(direction, kind, trailing), LiveConfig(risk_per_trade=risk, strategies=("one",))
    trade = entered(wish, config, EntryTerms(FILTERS, PRICE, Decimal(10_000)), Naming("a", "i"), START_MS)
    assert isinstance(trade, Trade)
    return trade


@dataclass
class Carrier:
    """`written`: what survives a crash. `fates`: of the next requests; without one they are answered."""

    venue: ModelVenue
    trade: Trade
    permits: Permits = ALLOWED
    fates: list[Fate] = field(default_factory=list)
    age_ms: int = 0
    dies_at: int | None = None
    troubled_ms: int = 0
    written: Trade = field(init=False)
    done: list[Move] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.written = self.trade

    def step(self) -> bool:
        """Carry out the next moves, one after the other; wait if there is nothing else. Whether anything was to be done."""
        moves = next_moves(self.trade, self.venue.now_ms, self.permits)
        if len(moves) == 1 and isinstance(moves[0], Wait):
            self.venue.pass_time(max(1, min(moves[0].until_ms - self.venue.now_ms, 1_000)))
        for move in moves:
            self.done.append(move)
            if not self._carry_out(move):
                return True
        if any(isinstance(move, Ask | Fetch) for move in moves):
            self.venue.pass_time(20)
        return bool(moves)

    def run(self, most: int = 400, until: Callable[[], bool] = lambda: False) -> None:
        """Until the trade is over, nothing is to be done, or `until`."""
        for _ in range(most):
            if self.trade.is_final or until() or not self.step():
                return
        if not until():
            raise AssertionError(f"goes in circles: {next_moves(self.trade, self.venue.now_ms, self.permits)}")

    def settle(self, milliseconds: int = 3_000) -> None:
        """So long, with everything heard."""
        end = self.venue.now_ms + milliseconds
        while self.venue.now_ms < end and not self.trade.is_final:
            self.hear_all()
            if not self.step():
                self.venue.pass_time(end - self.venue.now_ms)
        self.hear_all()

    def crash(self) -> None:
        """Memory is lost; what was written is read again."""
        self.trade = fold(self.written, Restarted(self.venue.now_ms))
        self.troubled_ms = self.venue.now_ms

    def hear_all(self) -> None:
        for fact in self.venue.told:
            self.hear(fact)
        self.venue.told.clear()

    def hear(self, fact: Fact) -> None:
        self.trade = fold(self.trade, fact)

    def look(self) -> None:
        """What a reconciliation asks for."""
        self._fetch("fills")
        for order in self.trade.orders:
            if not order.is_final and order.status != "intended":
                self._ask(order)
        self._fetch("position")

    def _carry_out(self, move: Move) -> bool:
        """False where memory was lost on the way."""
        match move:
            case Place(order):
                return self._place(order)
            case Note(fact):
                self.hear(fact)
            case Cancel(order):
                self._cancel(order)
            case Ask(order):
                self._ask(order)
            case Fetch(subject):
                self._fetch(subject)
            case Wait():
                pass
        return True

    def _place(self, order: OurOrder) -> bool:
        now_ms, name = self.venue.now_ms, order.client_id
        self.hear(Intended(order, now_ms))
        self.hear(Sending(name, now_ms + WINDOW_MS, now_ms))
        self.written = self.trade
        sent = next(one for one in self.trade.orders if one.client_id == name)
        if self._dies():
            return False
        fact = self._sent(sent)
        if self._dies():
            return False
        self.hear(fact)
        return True

    def _sent(self, order: OurOrder) -> Fact:
        fate = self.fates.pop(0) if self.fates else "ok"
        now_ms = self.venue.now_ms
        if fate != "ok":
            self.troubled_ms = now_ms
        if fate == "not_sent":
            return NeverSent(order.client_id, now_ms)
        if fate == "retry":
            return Refused(order.client_id, "retry", -1008, "", now_ms)
        if fate == "lost_late":
            self.venue.place_later(order, now_ms + WINDOW_MS - 100)
        elif fate == "lost_done":
            self.venue.place(order)
        elif fate != "lost":
            self.venue.next_fill = "partly" if fate == "partly" else self.venue.next_fill
            return self.venue.place(order)
        return Unclear(order.client_id, now_ms)

    def _cancel(self, order: OurOrder) -> None:
        fate = self.fates.pop(0) if self.fates else "ok"
        if fate in ("lost", "lost_done", "lost_late"):
            self.troubled_ms = self.venue.now_ms
            if fate == "lost_done":
                self.venue.cancel(order.client_id)
            self.hear(Unclear(order.client_id, self.venue.now_ms))
        else:
            self.hear(self.venue.cancel(order.client_id))

    def _ask(self, order: OurOrder) -> None:
        found = self.venue.ask(order, self.age_ms)
        self.hear(NotFound(order.client_id, self.venue.now_ms) if found is None else found)

    def _fetch(self, subject: str) -> None:
        if subject == "funding":
            for line in self.venue.fundings:
                self.hear(line)
            self.hear(FundingRead(self.venue.now_ms))
            return
        if subject == "position":
            self.hear(PositionSeen(self.venue.held(self.age_ms), self.venue.now_ms))
            return
        for seen, by, _ in self.venue.fills:
            self.hear(Filled(seen, by))
        self.hear(FillsRead(self.venue.now_ms))

    def _dies(self) -> bool:
        if self.dies_at is None:
            return False
        self.dies_at -= 1
        if self.dies_at > 0:
            return False
        self.dies_at = None
        self.crash()
        return True
