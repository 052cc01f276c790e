"""What a run and a sweep share: a range read once with its warm-up, all readers side by side in time, and the facts of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

import libs.contracts
import libs.indicators
import libs.trading
import services.backtester
from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from libs.kit.sources import source_digest
from libs.kit.tasks import run_all
from libs.trading.strategy import Strategy
from services.backtester.account import assumptions
from services.backtester.coverage import CoverageCounter, check_trades, lacking_warm_up
from services.backtester.mark_coverage import MarkCounter
from services.backtester.reading import stretches
from services.backtester.request import BacktestRequest
from services.backtester.result import InputCoverage, RunFacts
from services.backtester.sources import Market, Reader, Span, Stored, Stretch

STEP_MS = 3_600_000
_COARSEST_GRID_MS = 15_000


class Progress(Protocol):
    """Who shows how far it is."""

    def phase(self, what: str) -> None: ...
    def reached(self, time_ms: int) -> None: ...


class Step(NamedTuple):
    """What all symbols did up to an instant (ms), since the step before."""

    until_ms: int
    parts: list[Stretch]


@dataclass(slots=True)
class Walk:
    """A range on its way from the source: looked at, walked over, and told. `strategies`: whose inputs are counted."""

    request: BacktestRequest
    source: Market
    progress: Progress
    symbols: Sequence[str]
    strategies: Sequence[Strategy]
    trades_read: int = 0
    _counter: CoverageCounter = field(init=False)
    _marks: MarkCounter = field(init=False)
    _stored: dict[str, Stored] = field(default_factory=dict)
    _warm_up: tuple[InputCoverage, ...] = ()

    def __post_init__(self) -> None:
        self._counter = CoverageCounter(self.strategies)
        self._marks = MarkCounter(self.strategies, Span(self.request.start_ms, self.request.end_ms))

    async def look(self) -> None:
        """Ask what is stored. Raises `Incomplete` for what a person has to decide."""
        request = self.request
        self._marks.check(self.source)
        self.progress.phase("looking at what is stored")
        span = Span(request.start_ms, request.end_ms)
        self._stored = await check_trades(self.source, self.symbols, span, allow_gaps=request.allow_gaps)
        before = Span(request.read_from_ms, request.start_ms)
        self._warm_up = await lacking_warm_up(self.source, self.symbols, before)

    @asynccontextmanager
    async def steps(
        self, finest_ms: int, given: Sequence[PlacedEvent], phase: str
    ) -> AsyncIterator[AsyncIterator[Step]]:
        """Hour by hour, with a step that ends where the range starts. However it ends, all readers are closed.

        `finest_ms`: the shortest evaluation interval; `given`: configurations instead of the recorded ones.
        """
        span = Span(self.request.read_from_ms, self.request.end_ms)
        settings = KernelSettings.for_evaluation(min(_COARSEST_GRID_MS, finest_ms))
        readers = await self.source.readers(self.symbols, span, settings, given)
        self.progress.phase(phase)
        async with AsyncExitStack() as closing:
            for reader in readers:
                closing.push_async_callback(reader.close)
            for reader in readers:
                if self._marks.wanted:
                    reader.keep_mark_prices()
                await reader.begin()
            yield self._stepped(readers, span)
        self.trades_read = sum(reader.trades_read for reader in readers)

    async def _stepped(self, readers: Sequence[Reader], span: Span) -> AsyncIterator[Step]:
        for until_ms in sorted({*stretches(span, STEP_MS), self.request.start_ms} - {span.start_ms}):
            found = await run_all(*(reader.advance(until_ms) for reader in readers))
            parts = [part for several in found for part in several]
            self.progress.reached(until_ms)
            self._count(parts)
            yield Step(until_ms, parts)

    def _count(self, parts: Sequence[Stretch]) -> None:
        self._marks.add(parts)
        bounds = [self.request.start_ms, self.request.end_ms]
        for part in parts:
            for columns in part.columns:
                begin, end = np.searchsorted(columns.time_ms, bounds).tolist()
                self._counter.add(part.symbol, columns.rows(slice(begin, end)))

    def coverage(self) -> tuple[InputCoverage, ...]:
        """What the range had of what the strategies need. Raises `Incomplete` for an input without which they refuse all."""
        if not self.request.allow_gaps:
            self._counter.require(self.source.description)
        self._marks.require(self._stored, self.source.description, allow_gaps=self.request.allow_gaps)
        return (*self._counter.rows(self._stored), *self._marks.rows(self._stored), *self._warm_up)

    def facts(
        self, strategies: Sequence[tuple[str, int, str]], symbols: Sequence[str], assumed: Sequence[str]
    ) -> RunFacts:
        """Of the walk so far. `strategies`: name, version and content digest; `assumed`: lines about the account."""
        request = self.request
        return RunFacts(
            strategies=tuple(strategies),
            symbols=tuple(symbols),
            source=self.source.description,
            source_kind=request.source,
            view=self.source.view,
            start_ms=request.start_ms,
            end_ms=request.end_ms,
            ideal=request.costs.is_ideal,
            assumptions=(*assumptions(request, assumed), *self._marks.assumptions),
            starting_balance=float(request.rules.starting_balance),
            risk_per_trade=float(request.rules.risk_per_trade),
            code_version=source_digest((libs.contracts, libs.indicators, libs.trading, services.backtester)),
            trades_read=self.trades_read,
            evaluations=self._counter.evaluations,
        )
