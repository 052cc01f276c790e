"""Where a backtest's market comes from: each source gives trades, holes and events of a symbol, and says what it has of them."""

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from libs.indicators.settings import KernelSettings
from libs.kit.durations import DAY_MS
from libs.trading.columns import Columns
from libs.trading.engine.core import Evaluation
from libs.trading.mark_prices import MarkTape
from services.backtester.result import View


@dataclass(frozen=True, slots=True)
class Span:
    """Times in ms [start, end)."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What a source has of a symbol's trades in the span that was asked for: rows, ids that are missing between the first and the
    last of them, UTC days of the span without a row, and the time from the first to the last (`known`)."""

    symbol: str
    rows: int
    missing: int
    empty_days: tuple[str, ...]
    asked: Span
    known: Span


def empty_days(span: Span, days: Iterable[dt.date]) -> tuple[str, ...]:
    """The UTC days that the span touches and that are not among `days`."""
    known = {str(day) for day in days}
    touched = range(span.start_ms // DAY_MS, -(-span.end_ms // DAY_MS))
    names = (str(dt.datetime.fromtimestamp(number * 86_400, dt.UTC).date()) for number in touched)
    return tuple(name for name in names if name not in known)


@dataclass(frozen=True, slots=True)
class Settlement:
    """One funding settlement: time (ms), the rate of the interval that ended, and the mark price where it is known."""

    time_ms: int
    rate: Decimal
    mark_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a symbol did in a stretch of time; `trades` is None when it has had none at all so far. `evaluations`: at least those
    with a signal; `columns`: all of them, in parts, as factors see them. `marks`: its mark prices, where they were asked for."""

    symbol: str
    trades: TradeRows | None
    evaluations: list[Evaluation]
    columns: list[Columns]
    marks: MarkTape | None = None


class Reader(Protocol):
    """One symbol, or all of one partition of the log, with its engine, taken forward in time."""

    @property
    def trades_read(self) -> int: ...

    def keep_mark_prices(self) -> None:
        """Give mark prices too, with each stretch; asked for before it begins."""
        ...

    async def begin(self) -> None:
        """Ask for what the first stretch needs."""
        ...

    async def advance(self, until_ms: int) -> list[Stretch]:
        """Everything with an effective time below `until_ms` that was not given before."""
        ...

    async def close(self) -> None:
        """Let connections go; nothing is asked for afterwards."""
        ...


class Market(Protocol):
    """What a run asks of where its market comes from."""

    @property
    def description(self) -> str: ...

    @property
    def view(self) -> View: ...

    @property
    def has_mark_prices(self) -> bool:
        """Whether events of such a source can tell mark prices."""
        ...

    async def symbols(self) -> list[str]:
        """The symbols with trades, in name order."""
        ...

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        """What there is of a symbol's trades in the span; None without any. Reads what it needs, which may take a while."""
        ...

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        """The configurations that counted, in their order; none when the source keeps none."""
        ...

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        """Readers of all symbols; `given`: configurations that count from the beginning instead of the recorded ones."""
        ...

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        """Settled rates in the span, oldest first."""
        ...


class Tables(Protocol):
    """A source that keeps a symbol's trades and events apart, each event with its place."""

    @property
    def description(self) -> str: ...

    @property
    def view(self) -> View: ...

    @property
    def has_mark_prices(self) -> bool:
        """Whether events of such a source can tell mark prices."""
        ...

    async def symbols(self) -> list[str]: ...

    async def stored(self, symbol: str, span: Span) -> Stored | None: ...

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]: ...

    def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        """Pages with rising ids; effective times never fall."""
        ...

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        """Holes by rising ids; None: whatever id is missing between two rows is one."""
        ...

    def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        """Events of the market beside trades, in the order of their places."""
        ...

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]: ...
