"""What the live screen knows, updated record by record; no I/O, the caller passes the time."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame, MarkPriceObserved
from libs.contracts.signals import IndicatorComputed, SignalScored, StrategyScore
from libs.kit.errors import BadMessage

KEPT_SIGNALS = 50
RATE_SECONDS = 5.0


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


@dataclass(slots=True)
class SymbolState:
    """The latest of one symbol; `changed_at` is the reader's clock (seconds) at its last trade."""

    price: Decimal | None = None
    previous_price: Decimal | None = None
    watermark_ms: int = -1
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
    """Everything on the screen."""

    symbols: dict[str, SymbolState] = field(default_factory=dict)
    signals: deque[SignalScored] = field(default_factory=lambda: deque(maxlen=KEPT_SIGNALS))
    services: dict[str, ServiceState] = field(default_factory=dict)
    topics: dict[str, Rate] = field(default_factory=dict)
    trades: Rate = field(default_factory=Rate)
    trades_seen: int = 0
    trades_missing: int = 0
    venue: str = ""
    undecodable: int = 0
    last_record_at: float | None = None

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
        elif isinstance(event, SignalScored) and all(known.event_id != event.event_id for known in self.signals):
            self.signals.append(event)

    def _apply_frame(self, frame: AggTradeFrame, now: float) -> None:
        try:
            columns = read_columns(frame)
        except BadMessage:
            self.undecodable += 1
            return
        for index, part in enumerate(frame.slices):
            state = self.symbol(part.symbol)
            state.watermark_ms = max(state.watermark_ms, part.watermark_ms)
            if part.rows:
                raw = int(columns.price[columns.symbol_index == index][-1])
                state.previous_price, state.price = state.price, Decimal(raw).scaleb(-part.price_decimals)
                state.changed_at = now
                self.trades_seen += part.rows
        for hole in frame.holes:
            self.trades_missing += hole.last_missing_id - hole.first_missing_id + 1
        self.trades.record(self.trades_seen, now)
