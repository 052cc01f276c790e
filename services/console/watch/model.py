"""What the live screen knows, updated record by record; no I/O, the caller passes the time."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame, FeedStatusChanged, MarkPriceObserved
from libs.contracts.signals import IndicatorComputed, SignalScored, StrategyScore
from libs.kit.errors import BadMessage

KEPT_SIGNALS = 50
RATE_SECONDS = 5.0
TRADE_FEED = "trades"
_KEPT_IDS = 2000


@dataclass(slots=True)
class Rate:
    """A counter read as a rate per second over the last few seconds."""

    _points: deque[tuple[float, int]] = field(default_factory=deque)

    def record(self, total: int, now: float) -> None:
        """The counter stood at `total` at `now` (seconds); a smaller total than before starts anew."""
        if self._points and total < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, total))
        while len(self._points) > 2 and now - self._points[0][0] > RATE_SECONDS:
            self._points.popleft()

    @property
    def per_second(self) -> float | None:
        """None until two readings are there."""
        if len(self._points) < 2 or self._points[-1][0] <= self._points[0][0]:
            return None
        (first_at, first), (last_at, last) = self._points[0], self._points[-1]
        return (last - first) / (last_at - first_at)

    def at(self, now: float) -> float | None:
        """As `per_second`; None when the newest reading is older than the span of the rate."""
        fresh = bool(self._points) and now - self._points[-1][0] <= RATE_SECONDS
        return self.per_second if fresh else None


@dataclass(frozen=True, slots=True)
class VenueClock:
    """The venue's time stood at `venue_ms` when the reader's clock (seconds) was `at`, and runs `speed` times as fast.

    Speed None: an unpaced recording, whose clock is where its readers are.
    """

    at: float
    venue_ms: int
    speed: float | None = 1.0

    def age_seconds(self, time_ms: int, now: float) -> float:
        """How old the venue's instant is at the reader's `now`, in seconds of the venue."""
        passed = (now - self.at) * (self.speed or 0.0)
        return max(0.0, (self.venue_ms - time_ms) / 1000 + passed)


@dataclass(slots=True)
class SignalRow:
    """A signal, or the newest of `count` refusals of the same symbol and strategy for the same reason."""

    signal: SignalScored
    count: int = 1


@dataclass(slots=True)
class SymbolState:
    """The latest of one symbol; `changed_at` is the reader's clock (seconds) at its last trade. `newest_ms`: its newest
    trade or proof of completeness in venue time. `report`: what its trade feed said last; `missing`: trades in holes since we
    look."""

    price: Decimal | None = None
    previous_price: Decimal | None = None
    watermark_ms: int = -1
    newest_ms: int = -1
    report: FeedStatusChanged | None = None
    missing: int = 0
    changed_at: float = 0.0
    mark: MarkPriceObserved | None = None
    indicator: IndicatorComputed | None = None


@dataclass(slots=True)
class ServiceState:
    """How a service answered last: ready, what it waits for, its consumers' lag in records (None: it reports none)."""

    ready: bool
    running: bool
    waits_for: str
    restarts: int
    lag: int | None = None


@dataclass(slots=True)
class WatchModel:
    """Everything on the screen. `page`: the address of the web page, which shows the same and more."""

    symbols: dict[str, SymbolState] = field(default_factory=dict)
    emitted: deque[SignalRow] = field(default_factory=lambda: deque(maxlen=KEPT_SIGNALS))
    refused: dict[tuple[str, ...], SignalRow] = field(default_factory=dict)
    services: dict[str, ServiceState] = field(default_factory=dict)
    topics: dict[str, Rate] = field(default_factory=dict)
    trades: Rate = field(default_factory=Rate)
    trades_seen: int = 0
    trades_missing: int = 0
    venue: str = ""
    page: str = ""
    undecodable: int = 0
    last_record_at: float | None = None
    venue_clock: VenueClock | None = None
    recording_ended: bool = False
    today: str = ""
    _seen: dict[str, None] = field(default_factory=dict)

    def data_age_seconds(self, now: float) -> float | None:
        """Venue seconds from the newest trade or proof to the venue's clock; None while either is unknown."""
        newest = max((state.newest_ms for state in self.symbols.values()), default=-1)
        if self.venue_clock is None or newest < 0:
            return None
        return self.venue_clock.age_seconds(newest, now)

    def is_old(self, age_seconds: float, seconds: float) -> bool:
        """Whether data of that age in venue seconds is older than so many seconds of the reader."""
        return self.venue_clock is not None and age_seconds > seconds * max(1.0, self.venue_clock.speed or 1.0)

    @property
    def filling(self) -> bool:
        """Some symbol's trades are being made complete again."""
        return any(
            state.report is not None and state.report.state in ("starting", "stale", "connecting", "resynchronising")
            for state in self.symbols.values()
        )

    def signals(self, count: int) -> list[SignalRow]:
        """`count` rows, newest first: half of them for emitted signals, however many refusals came after."""
        rows = [*self.emitted, *self.refused.values()]
        newest = sorted(rows, key=lambda row: row.signal.event_time_ms, reverse=True)
        kept = [row for row in newest if row.signal.state == "emitted"][: (count + 1) // 2]
        others = [row for row in newest if not any(row is one for one in kept)][: count - len(kept)]
        return sorted([*kept, *others], key=lambda row: row.signal.event_time_ms, reverse=True)

    @property
    def venue_time_ms(self) -> int | None:
        """The newest proven event time over all symbols (ms UTC), None before the first."""
        newest = max((state.watermark_ms for state in self.symbols.values()), default=-1)
        return newest if newest >= 0 else None

    @property
    def completeness(self) -> float | None:
        """Share of the aggregate trades since we look that are there; None before the first."""
        total = self.trades_seen + self.trades_missing
        return self.trades_seen / total if total else None

    @property
    def has_data(self) -> bool:
        """A price and an evaluation for every symbol."""
        return bool(self.symbols) and all(
            state.price is not None and state.indicator is not None for state in self.symbols.values()
        )

    @property
    def best_score(self) -> tuple[str, StrategyScore] | None:
        """The symbol and its score that lacks least to its threshold right now; None before the first."""
        scores = [
            (name, score)
            for name, state in self.symbols.items()
            if state.indicator is not None
            for score in state.indicator.scores
        ]
        return min(scores, key=lambda found: found[1].threshold - found[1].score, default=None)

    def symbol(self, name: str) -> SymbolState:
        """The state of a symbol, made when it is new."""
        return self.symbols.setdefault(name, SymbolState())

    def apply(self, event: object, now: float) -> None:
        """Take one decoded record; kinds that the screen does not show are ignored."""
        self.last_record_at = now
        if isinstance(event, AggTradeFrame):
            self._apply_frame(event, now)
        elif isinstance(event, MarkPriceObserved):
            self.symbol(event.symbol).mark = event
        elif isinstance(event, IndicatorComputed):
            self.symbol(event.symbol).indicator = event
        elif isinstance(event, SignalScored) and event.event_id not in self._seen:
            self._apply_signal(event)
        elif isinstance(event, FeedStatusChanged) and event.feed == TRADE_FEED:
            self.symbol(event.symbol).report = event

    def _apply_signal(self, event: SignalScored) -> None:
        self._seen[event.event_id] = None
        if len(self._seen) > _KEPT_IDS:
            del self._seen[next(iter(self._seen))]
        if event.state == "emitted":
            self.emitted.append(SignalRow(event))
            return
        # Refusals before and after an emitted signal are two rows.
        last = next((row.signal.event_id for row in reversed(self.emitted) if _same_rule(row.signal, event)), "")
        key = (event.symbol, event.strategy, event.reason or "", last)
        known = self.refused.pop(key, None)
        self.refused[key] = SignalRow(event, 1 if known is None else known.count + 1)
        if len(self.refused) > KEPT_SIGNALS:
            del self.refused[next(iter(self.refused))]

    def _apply_frame(self, frame: AggTradeFrame, now: float) -> None:
        try:
            columns = read_columns(frame)
        except BadMessage:
            self.undecodable += 1
            return
        for index, part in enumerate(frame.slices):
            state = self.symbol(part.symbol)
            state.watermark_ms = max(state.watermark_ms, part.watermark_ms)
            state.newest_ms = max(state.newest_ms, part.watermark_ms)
            if part.rows:
                raw = int(columns.price[columns.symbol_index == index][-1])
                state.previous_price, state.price = state.price, Decimal(raw).scaleb(-part.price_decimals)
                state.changed_at = now
                state.newest_ms = max(state.newest_ms, int(columns.trade_time[columns.symbol_index == index][-1]))
                self.trades_seen += part.rows
        for hole in frame.holes:
            missing = hole.last_missing_id - hole.first_missing_id + 1
            self.symbol(hole.symbol).missing += missing
            self.trades_missing += missing
        self.trades.record(self.trades_seen, now)


def _same_rule(one: SignalScored, other: SignalScored) -> bool:
    return (one.symbol, one.strategy) == (other.symbol, other.strategy)
