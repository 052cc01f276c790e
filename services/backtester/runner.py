"""One run from its request to its result: the engines of all symbols side by side in time, and one account behind them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np

import libs.contracts
import libs.indicators
import libs.trading
import services.backtester
from libs.contracts.control import StrategyActivated
from libs.contracts.signals import SignalScored
from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from libs.kit.errors import UserError
from libs.kit.sources import source_digest
from libs.trading.simulation import Simulator
from libs.trading.strategy import Strategy, read_strategy
from services.backtester.account import assumptions, tape_of, trading_setup
from services.backtester.candles import CandleBuilder
from services.backtester.coverage import CoverageCounter, check_trades, lacking_warm_up
from services.backtester.reading import stretches
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult, EquityCurve, InputCoverage, RunFacts
from services.backtester.sources import Market, Reader, Span, Stretch
from services.backtester.strategies import content_digest, in_force, read_strategy_files

STEP_MS = 3_600_000


class Progress(Protocol):
    """Who shows how far it is."""

    def phase(self, what: str) -> None: ...
    def reached(self, time_ms: int) -> None: ...


@dataclass(slots=True)
class Run:
    """A run while it goes on; `result` when it has ended."""

    request: BacktestRequest
    source: Market
    progress: Progress
    _signals: list[SignalScored] = field(default_factory=list)
    _held_back: list[SignalScored] = field(default_factory=list)
    _candles: dict[str, CandleBuilder] = field(default_factory=dict)

    async def run(self) -> BacktestResult:
        """Read, evaluate, trade. Raises `UserError` for whatever a person has to decide."""
        request = self.request
        symbols = await self._symbols()
        configured = await self._strategies(symbols)
        if not configured:
            raise UserError(
                "no strategy counts in this range", where=self.source.description, todo="name files with --strategy"
            )
        self.progress.phase("looking at what is stored")
        span = Span(request.start_ms, request.end_ms)
        stored = await check_trades(self.source, symbols, span, allow_gaps=request.allow_gaps)
        warm_up = await lacking_warm_up(self.source, symbols, Span(request.read_from_ms, request.start_ms))
        strategies = [strategy for strategy, _ in configured]
        counter = CoverageCounter(strategies)
        readers = await self._readers(symbols, configured)
        self.progress.phase("replaying")
        try:
            for reader in readers:
                await reader.begin()
            simulator, assumed = await self._replay(readers, counter)
        finally:
            for reader in readers:
                await reader.close()
        if not request.allow_gaps:
            counter.require(self.source.description)
        facts = self._facts(configured, symbols, assumed, counter.evaluations)
        return self._result(
            msgspec.structs.replace(facts, trades_read=sum(reader.trades_read for reader in readers)),
            (*counter.rows(stored), *warm_up),
            simulator,
        )

    async def _symbols(self) -> list[str]:
        known = await self.source.symbols()
        wanted = sorted(set(self.request.symbols)) or known
        if unknown := sorted(set(wanted) - set(known)):
            raise UserError(
                f"there are no trades of {', '.join(unknown)}",
                where=self.source.description,
                todo=f"known are {', '.join(known[:20]) or 'none'}",
            )
        if not wanted:
            raise UserError("there are no trades", where=self.source.description, todo="import or record some first")
        return wanted

    async def _strategies(self, symbols: Sequence[str]) -> list[tuple[Strategy, StrategyActivated]]:
        """What counts: the request's files, else the recorded configurations that were in force, each with its version."""
        if self.request.strategies:
            pairs = read_strategy_files(self.request.strategies)
            return [(strategy, _activated(placed)) for strategy, placed in pairs]
        return await self._recorded(symbols, self.request.start_ms)

    async def _recorded(self, symbols: Sequence[str], from_ms: int) -> list[tuple[Strategy, StrategyActivated]]:
        events = in_force(await self.source.activations(symbols[0]), Span(from_ms, self.request.end_ms))
        return [(read_strategy(bytes(event.definition), event.strategy), event) for event in events]

    async def _readers(
        self, symbols: Sequence[str], configured: Sequence[tuple[Strategy, StrategyActivated]]
    ) -> list[Reader]:
        # The engine meets the configurations of the warm-up as well.
        met = configured if self.request.strategies else await self._recorded(symbols, self.request.read_from_ms)
        finest = min(strategy.interval_ms for strategy, _ in met)
        settings = KernelSettings.for_evaluation(min(15_000, finest))
        given = [PlacedEvent(-1, event) for _, event in configured] if self.request.strategies else []
        span = Span(self.request.read_from_ms, self.request.end_ms)
        return await self.source.readers(symbols, span, settings, given)

    async def _replay(self, readers: Sequence[Reader], counter: CoverageCounter) -> tuple[Simulator, tuple[str, ...]]:
        request, simulator = self.request, None
        assumed: tuple[str, ...] = ()
        known: set[str] = set()
        span = Span(request.read_from_ms, request.end_ms)
        edges = sorted({*stretches(span, STEP_MS), request.start_ms} - {span.start_ms})
        for until_ms in edges:
            parts = [
                part
                for found in await asyncio.gather(*(reader.advance(until_ms) for reader in readers))
                for part in found
            ]
            self.progress.reached(until_ms)
            self._take(parts, counter)  # the evaluation at the start itself ends the warm-up's last stretch
            if until_ms <= request.start_ms:
                continue
            coming = {
                part.symbol: (part.trades.price_decimals, part.trades.quantity_decimals)
                for part in parts
                if part.trades is not None and part.symbol not in known
            }
            if simulator is None or coming:
                known |= set(coming)
                setup, assumed = await trading_setup(request, self.source, coming)
                if simulator is None:
                    simulator = Simulator(setup, request.start_ms)
                else:
                    simulator.add_symbols(setup)
            self._draw(parts)
            tapes = {part.symbol: tape_of(part.trades) for part in parts if part.trades is not None}
            simulator.advance(tapes, self._due(until_ms), until_ms)
        assert simulator is not None
        simulator.finish()
        return simulator, assumed

    def _take(self, parts: Sequence[Stretch], counter: CoverageCounter) -> None:
        start_ms, end_ms = self.request.start_ms, self.request.end_ms
        for part in parts:
            for columns in part.columns:
                begin, end = np.searchsorted(columns.time_ms, [start_ms, end_ms]).tolist()
                counter.add(part.symbol, columns.rows(slice(begin, end)))
            for evaluation in part.evaluations:
                if start_ms <= evaluation.situation.row.evaluation_time_ms < end_ms:
                    self._held_back.extend(evaluation.signals)

    def _draw(self, parts: Sequence[Stretch]) -> None:
        for part in parts:
            if part.trades is not None:
                self._candles.setdefault(part.symbol, CandleBuilder()).add(part.trades)

    def _due(self, until_ms: int) -> list[SignalScored]:
        """The signals before `until_ms`; one at that very instant meets the trades of the next stretch."""
        due = [signal for signal in self._held_back if signal.event_time_ms < until_ms]
        self._held_back = [signal for signal in self._held_back if signal.event_time_ms >= until_ms]
        due.sort(key=lambda signal: (signal.event_time_ms, signal.symbol, signal.strategy, signal.version))
        self._signals.extend(due)
        return due

    def _facts(
        self,
        configured: Sequence[tuple[Strategy, StrategyActivated]],
        symbols: Sequence[str],
        assumed: tuple[str, ...],
        evaluations: int,
    ) -> RunFacts:
        request = self.request
        return RunFacts(
            strategies=tuple(
                (strategy.name, strategy.version, content_digest(bytes(event.definition)))
                for strategy, event in configured
            ),
            symbols=tuple(symbols),
            source=self.source.description,
            source_kind=request.source,
            view=self.source.view,
            start_ms=request.start_ms,
            end_ms=request.end_ms,
            ideal=request.costs.is_ideal,
            assumptions=assumptions(request, assumed),
            starting_balance=float(request.rules.starting_balance),
            risk_per_trade=float(request.rules.risk_per_trade),
            code_version=code_version(),
            evaluations=evaluations,
        )

    def _result(self, facts: RunFacts, coverage: tuple[InputCoverage, ...], simulator: Simulator) -> BacktestResult:
        curve = simulator.equity
        return BacktestResult(
            facts=facts,
            coverage=coverage,
            signals=tuple(self._signals),
            outcomes=simulator.outcomes,
            not_taken=simulator.not_taken,
            equity=EquityCurve(curve.time_ms, curve.equity, curve.open_positions, curve.exposure),
            candles={symbol: builder.candles() for symbol, builder in sorted(self._candles.items())},
        )


def code_version() -> str:
    """Which code makes results: part of a report, and of what a sweep may go on from."""
    return source_digest((libs.contracts, libs.indicators, libs.trading, services.backtester))


def _activated(placed: PlacedEvent) -> StrategyActivated:
    assert isinstance(placed.event, StrategyActivated)
    return placed.event
