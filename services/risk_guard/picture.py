"""Everything that the guard knows at one moment, put together as the inputs of the risk rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.user_events import AccountTold, AlgoTold, OrderTold, UserEvent
from libs.trading.risk.inputs import Account, Figure, GuardInputs, Position, PositionKey, Services
from libs.trading.risk.limits import RiskLimits
from services.risk_guard.memory import Memory
from services.risk_guard.moment import Moment
from services.risk_guard.money import MoneyBook
from services.risk_guard.positions import OpenPosition, PositionBook, figure, name_of
from services.risk_guard.reports import MarketBook, TradeBook
from services.risk_guard.stops import StopBook

NEW_MS = 2_000
"""So long after its beginning a position may be read for the first time: lists may show it that late (reference facts, 9)."""
MOST_GAP_MS = 5_000
"""A look that comes so much later than the one before says that the guard itself stood still, not that the others did."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Symbols whose positions, and symbols whose conditional orders have changed."""

    positions: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()


@dataclass(slots=True)
class Picture:
    """Folds what is heard; asks nobody. `is_told`: the user stream is open. Times named `at` are those of the clock that only
    grows."""

    limits: RiskLimits
    started_at_ms: int
    positions: PositionBook = field(default_factory=PositionBook)
    stops: StopBook = field(default_factory=StopBook)
    money: MoneyBook = field(default_factory=MoneyBook)
    trades: TradeBook = field(default_factory=TradeBook)
    market: MarketBook = field(default_factory=MarketBook)
    is_told: bool = False
    _heard_at_ms: int | None = None
    _looked_at_ms: int | None = None

    def account_heard(self, at_ms: int) -> None:
        """Something of the account was read or told."""
        self._heard_at_ms = max(at_ms, self._heard_at_ms or at_ms)

    def told(self, events: Sequence[UserEvent], at_ms: int) -> "Changed":
        """Events of the user stream; what they have changed."""
        self.account_heard(at_ms)
        positions: set[str] = set()
        stops: set[str] = set()
        for event in events:
            if isinstance(event, AccountTold):
                self.money.told(event, at_ms)
                for position in event.positions:
                    self.positions.told(position, event.event_ms, at_ms)
                    positions.add(position.symbol)
            elif isinstance(event, AlgoTold):
                self.stops.told(event.algo, at_ms)
                self.trades.order_seen(event.algo.client_id, at_ms)
                stops.add(event.algo.symbol)
            elif isinstance(event, OrderTold):
                self.trades.order_seen(event.order.client_id, at_ms)
                if event.execution is not None:
                    self.money.fees.told(event.execution)
        return Changed(frozenset(positions), frozenset(stops))

    def inputs(self, now: Moment, counts_from_ms: int) -> GuardInputs:
        """What a look sees now."""
        self._forgive_our_own_sleep(now)
        for name in self.positions.changed_unseen():
            self.trades.doubt(name)
        self.positions.remember(now)
        current = self.positions.open()
        unrealised = self._unrealised(current, now)
        self.money.see(unrealised, now)
        return GuardInputs(
            now_ms=now.now_ms,
            account=self._account(unrealised, counts_from_ms, now),
            positions=tuple(self._position(one, now) for one in current.values()),
            positions_age_ms=self._positions_age_ms(now),
            feeds=self.market.feeds(now),
            services=self._services(now),
        )

    def is_open(self) -> bool:
        """Whether anything is open, or nobody knows."""
        return self.positions.asked_at_ms is None or bool(self.positions.open())

    def is_followed(self, now: Moment) -> bool:
        """Whether streams tell what is open and what that is worth at this moment."""
        return self.is_told and self.positions.is_marked(now)

    def has_bare(self, symbol: str | None = None) -> bool:
        """Whether a position (of that symbol) has no stop, or nobody knows."""
        return self.positions.has_bare(symbol)

    def unproven(self, now: Moment, longest_ms: int) -> list[PositionKey]:
        """Positions of whose stops no list can tell now, and none has for so long."""
        book = self.positions
        return [key for key in book.open() if min(book.unknown_ms(key, now), book.unproven_ms(key, now)) >= longest_ms]

    def restore(self, memory: Memory) -> None:
        """Go on from what was remembered."""
        self.positions.first_seen = dict(memory.first_seen)
        self.positions.away_since_ms = memory.state.looked_ms
        self.money.baselines = memory.baselines
        self.trades.held, self.trades.ended = dict(memory.held), dict(memory.ended)
        self.trades.entered, self.trades.stands_at = dict(memory.entered), dict(memory.stands_at)

    def _forgive_our_own_sleep(self, now: Moment) -> None:
        gap_ms = 0 if self._looked_at_ms is None else now.at_ms - self._looked_at_ms
        if gap_ms > MOST_GAP_MS:
            self.started_at_ms += gap_ms
            if self._heard_at_ms is not None:
                self._heard_at_ms = min(now.at_ms, self._heard_at_ms + gap_ms)
        self._looked_at_ms = now.at_ms

    def _positions_age_ms(self, now: Moment) -> int | None:
        asked_at_ms = self.positions.asked_at_ms
        return None if asked_at_ms is None else now.at_ms - asked_at_ms

    def _unrealised(self, current: dict[PositionKey, OpenPosition], now: Moment) -> Figure:
        """Of all that is open together. One that only an event has told of has none yet, which is nothing while it is new."""
        age_ms = self._positions_age_ms(now)
        results = [
            one.unrealised for one in current.values() if one.unrealised is not None or not self._is_new(one, now)
        ]
        if age_ms is None or any(one is None for one in results):
            return Figure()
        return Figure(sum((one for one in results if one is not None), Decimal(0)), age_ms)

    def _is_new(self, one: OpenPosition, now: Moment) -> bool:
        began_ms = self.positions.first_seen.get(name_of(*one.key))
        return began_ms is not None and now.now_ms - began_ms < NEW_MS

    def _account(self, unrealised: Figure, counts_from_ms: int, now: Moment) -> Account:
        peak, moved = self.money.peak_and_moved(now)
        return Account(
            equity=self.money.equity(unrealised, now),
            balance=self.money.balance(now),
            realised_today=self.money.realised_today(now),
            unrealised=unrealised,
            peak_equity=peak,
            moved=moved,
            age_ms=now.at_ms - (self.started_at_ms if self._heard_at_ms is None else self._heard_at_ms),
            **self.trades.figures(counts_from_ms, now),
        )

    def _position(self, one: OpenPosition, now: Moment) -> Position:
        symbol, side = one.key
        trade, seen = self.trades.of(one.key), self.stops.seen(symbol)
        risk = trade.risk_quote if trade is not None else None
        in_r = one.unrealised / risk if one.unrealised is not None and risk else None
        if in_r is not None:
            self.trades.stands_at[name_of(*one.key)] = in_r
        opened = (trade.entered_at_ms if trade is not None else None, self.positions.first_seen.get(name_of(*one.key)))
        price = self.market.prices.get(symbol)
        position = Position(
            symbol=symbol,
            side=side,
            quantity=figure(one.quantity, one.seen_at_ms, now),
            entry_price=figure(one.entry_price, one.seen_at_ms, now),
            mark_price=figure(one.mark_price, one.seen_at_ms, now),
            last_price=figure(price, self.market.prices_at_ms or 0, now),
            unrealised_r=figure(in_r, one.seen_at_ms, now),
            opened_ms=min((time_ms for time_ms in opened if time_ms is not None), default=None),
            stops=None if seen is None else seen.stops,
            stops_age_ms=None if seen is None else now.at_ms - seen.asked_at_ms,
            is_new=self._is_new(one, now),
        )
        limits = self.limits.stale_ms, self.limits.bare_close_ms
        return replace(position, bare_ms=self.positions.bare_ms(position, self.stops, now, limits))

    def _services(self, now: Moment) -> Services:
        skew = self.market.skew_ms
        return Services(
            engine_ms=self.market.engine_age_ms(now),
            executor_ms=self.trades.executor_age_ms(now),
            reconciled_ms=self.trades.reconciled_age_ms(now),
            clock_skew=Figure() if skew is None else Figure(skew, now.at_ms - self.market.skew_at_ms),
        )
