"""One symbol of a source, taken in stretches of time: its trades as a tape, and what its engine evaluated."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from libs.contracts.market import Hole, MarkPriceObserved
from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows, joined_rows
from libs.indicators.settings import KernelSettings
from libs.trading.engine.columns import ColumnEngine, due_holes
from libs.trading.mark_prices import MarkTape, WaitingMarks
from services.backtester.result import View
from services.backtester.sources import Reader, Settlement, Span, Stored, Stretch, Tables
from services.backtester.sources.merging import by_place, each

NOT_STORED = "not_stored"


@dataclass(slots=True)
class SymbolReader:
    """Reads ahead by a page. `strategies`: the configurations that count, each with its place. `every`: as in `ColumnEngine`."""

    source: Tables
    symbol: str
    span: Span
    settings: KernelSettings
    strategies: Sequence[PlacedEvent] = ()
    every: bool = False
    trades_read: int = 0
    _engine: ColumnEngine = field(init=False)
    _pages: AsyncIterator[TradeRows] = field(init=False)
    _events: AsyncIterator[PlacedEvent] = field(init=False)
    _next_event: PlacedEvent | None = None
    _parts: list[TradeRows] = field(default_factory=list)
    _holes: list[PlacedHole] = field(default_factory=list)
    _finds_holes: bool = False
    _newest: tuple[int, int] | None = None
    _ended: bool = False
    _marks: WaitingMarks | None = None

    def __post_init__(self) -> None:
        self._engine = ColumnEngine(self.settings, self.symbol, self.every)
        self._pages = self.source.trades(self.symbol, self.span)
        self._events = by_place([each(self.strategies), self.source.events(self.symbol, self.span)])

    def keep_mark_prices(self) -> None:
        self._marks = WaitingMarks(self.symbol)

    async def begin(self) -> None:
        """Ask for the holes and the first event, before the first stretch."""
        holes = await self.source.holes(self.symbol, self.span)
        self._finds_holes, self._holes = holes is None, list(holes or ())
        self._next_event = await anext(self._events, None)

    async def advance(self, until_ms: int) -> list[Stretch]:
        """Everything with an effective time below `until_ms`. Raises what the source and the engine raise."""
        while not self._ended and (not self._parts or self._parts[-1].time[-1] < until_ms):
            await self._read_page()
        placed: list[PlacedEvent] = []
        while self._next_event is not None and self._next_event.effective_at_ms < until_ms:
            placed.append(self._next_event)
            self._next_event = await anext(self._events, None)
        self._engine.place(placed)
        marks = None if self._marks is None else _known_marks(self._marks, placed, until_ms)
        if not self._parts:
            return [Stretch(self.symbol, None, [], [])]
        rows = self._take(until_ms)
        following = next((int(part.agg_id[0]) for part in self._parts if len(part)), None)
        due = due_holes(self._holes, following, until_ms)
        holes, self._holes = self._holes[:due], self._holes[due:]
        found = self._engine.advance(rows, holes, until_ms)
        return [Stretch(self.symbol, rows, found.evaluations, found.columns, marks)]

    async def close(self) -> None:
        """End the questions that were not read to their end."""
        for stream in (self._pages, self._events):
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _read_page(self) -> None:
        page = await anext(self._pages, None)
        if page is None:
            self._ended = True
            return
        if self._finds_holes:
            self._holes.extend(_missing(self._newest, page))
            self._newest = (int(page.agg_id[-1]), int(page.time[-1]))
        self._parts.append(page)
        self.trades_read += len(page)

    def _take(self, until_ms: int) -> TradeRows:
        """The rows below `until_ms`; the last part is kept, if only for its scale."""
        taken = []
        for number, part in enumerate(self._parts):
            rows = part.before(until_ms)
            taken.append(part.rows(0, rows))
            self._parts[number] = part.rows(rows, len(part))
        self._parts = [part for part in self._parts[:-1] if len(part)] + self._parts[-1:]
        return taken[0] if len(taken) == 1 else joined_rows(taken)


@dataclass(frozen=True, slots=True)
class TableMarket:
    """Tables as a run reads them: a reader for each symbol."""

    tables: Tables

    @property
    def description(self) -> str:
        return self.tables.description

    @property
    def view(self) -> View:
        return self.tables.view

    @property
    def has_mark_prices(self) -> bool:
        return self.tables.has_mark_prices

    async def symbols(self) -> list[str]:
        return await self.tables.symbols()

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        return await self.tables.stored(symbol, span)

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return await self.tables.activations(symbol)

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        strategies = {symbol: given or await self.activations(symbol) for symbol in symbols}
        return [SymbolReader(self.tables, symbol, span, settings, strategies[symbol]) for symbol in symbols]

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        return await self.tables.funding(symbol, span)


def _known_marks(waiting: WaitingMarks, placed: Sequence[PlacedEvent], until_ms: int) -> MarkTape:
    """The mark prices that count before `until_ms`, with those that have just been read."""
    for item in placed:
        if isinstance(item.event, MarkPriceObserved):
            waiting.add(item.event, item.effective_at_ms)
    return waiting.take(until_ms)


def _missing(before: tuple[int, int] | None, page: TradeRows) -> list[PlacedHole]:
    """The ids that no row has, each placed behind the trade before it; `before`: id and time of the one before the page."""
    ids, times = page.agg_id, page.time
    first = ids[0] if before is None else before[0] + 1
    if ids[-1] - first + 1 == len(ids):  # they rise, so that none is missing
        return []
    if before is not None:
        ids, times = np.concatenate(([before[0]], ids)), np.concatenate(([before[1]], times))
    steps = np.flatnonzero(np.diff(ids) > 1)
    return [_hole(page.symbol, ids[row : row + 2].tolist(), times[row : row + 2].tolist()) for row in steps.tolist()]


def _hole(symbol: str, ids: list[int], times: list[int]) -> PlacedHole:
    (before, after), (from_ms, to_ms) = ids, times
    return PlacedHole(from_ms - 1, Hole(symbol, before + 1, after - 1, from_ms, to_ms, NOT_STORED))


def stretches(span: Span, step_ms: int) -> list[int]:
    """The ends of the stretches of a span, on a grid of `step_ms`, the last one at its end."""
    first = (span.start_ms // step_ms + 1) * step_ms
    edges = [*range(first, span.end_ms, step_ms), span.end_ms]
    assert all(one < two for one, two in pairwise(edges))
    return edges
