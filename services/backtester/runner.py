"""One run from its request to its result: the engines of all symbols side by side in time, and one account behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.contracts.control import StrategyActivated
from libs.contracts.signals import SignalScored
from libs.contracts.timeline import PlacedEvent
from libs.kit.errors import UserError
from libs.trading.market import TradeTape
from libs.trading.simulation import Simulator
from libs.trading.strategy import Strategy, read_strategy
from services.backtester.account import trading_setup
from services.backtester.candles import CandleBuilder
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult, EquityCurve, SignalRow
from services.backtester.silence import SilenceCounter
from services.backtester.sources import Market, Span, Stretch
from services.backtester.strategies import content_digest, in_force, read_strategy_files
from services.backtester.walk import Progress, Step, Walk

Configured = Sequence[tuple[Strategy, StrategyActivated]]


@dataclass(slots=True)
class Run:
    """A run while it goes on. `heard`: where to put whole signals too, in the result's order; of a long range they are much."""

    request: BacktestRequest
    source: Market
    progress: Progress
    heard: list[SignalScored] | None = None
    _signals: list[SignalRow] = field(default_factory=list)
    _held_back: list[SignalScored] = field(default_factory=list)
    _candles: dict[str, CandleBuilder] = field(default_factory=dict)
    _joined: set[str] = field(default_factory=set)
    _silences: SilenceCounter = field(default_factory=lambda: SilenceCounter(()))

    async def run(self) -> BacktestResult:
        """Read, evaluate, trade. Raises `UserError` for whatever a person has to decide."""
        symbols = await self._symbols()
        configured = await self._strategies(symbols)
        if not configured:
            raise UserError(
                "no strategy counts in this range", where=self.source.description, todo="name files with --strategy"
            )
        changed = await self._changed(symbols)
        self._silences.strategies = [strategy for strategy, _ in configured if strategy.name not in changed]
        walk = Walk(self.request, self.source, self.progress, symbols, [strategy for strategy, _ in configured])
        await walk.look()
        setup, assumed = await trading_setup(self.request, self.source, {})
        simulator = Simulator(setup, self.request.start_ms)
        given = [PlacedEvent(-1, event) for _, event in configured] if self.request.strategies else []
        async with walk.steps(await self._finest_ms(symbols, configured), given, "replaying") as steps:
            async for step in steps:
                self._hold_back(step.parts)  # the evaluation at the start itself ends the warm-up's last stretch
                if step.until_ms > self.request.start_ms:
                    await self._trade(simulator, step)
        simulator.finish()
        return self._result(walk, configured, assumed, simulator)

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

    async def _changed(self, symbols: Sequence[str]) -> set[str]:
        """The strategies that began, changed or ended within the range: which one was asked when is not counted."""
        if self.request.strategies:
            return set()
        placed, span = await self.source.activations(symbols[0]), range(self.request.start_ms, self.request.end_ms)
        events = [each.event for each in placed if each.effective_at_ms + 1 in span]
        return {event.strategy for event in events if isinstance(event, StrategyActivated)}

    async def _finest_ms(self, symbols: Sequence[str], configured: Configured) -> int:
        # The engine meets the configurations of the warm-up as well.
        met = configured if self.request.strategies else await self._recorded(symbols, self.request.read_from_ms)
        return min(strategy.interval_ms for strategy, _ in met)

    async def _trade(self, simulator: Simulator, step: Step) -> None:
        tapes = {part.symbol: TradeTape.of(part.trades) for part in step.parts if part.trades is not None}
        if coming := {name: tape.scale for name, tape in tapes.items() if name not in self._joined}:
            setup, _ = await trading_setup(self.request, self.source, coming)
            simulator.add_symbols(setup)
            self._joined |= set(coming)
        self._draw(step.parts)
        # As paper accounts do: of a symbol that is new, only what is not over.
        marks = {
            part.symbol: part.marks.between(simulator.now_ms, step.until_ms)
            for part in step.parts
            if part.marks is not None
        }
        simulator.advance(tapes, self._due(step.until_ms), step.until_ms, marks)

    def _hold_back(self, parts: Sequence[Stretch]) -> None:
        start_ms, end_ms = self.request.start_ms, self.request.end_ms
        for part in parts:
            for columns in part.columns:
                begin, end = np.searchsorted(columns.time_ms, [start_ms, end_ms]).tolist()
                self._silences.add(part.symbol, columns.rows(slice(begin, end)))
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
        self._signals.extend(map(SignalRow.of, due))
        if self.heard is not None:
            self.heard.extend(due)
        return due

    def _result(
        self, walk: Walk, configured: Configured, assumed: Sequence[str], simulator: Simulator
    ) -> BacktestResult:
        counted = [
            (strategy.name, strategy.version, content_digest(bytes(event.definition))) for strategy, event in configured
        ]
        curve = simulator.equity
        return BacktestResult(
            facts=walk.facts(counted, walk.symbols, assumed),
            coverage=walk.coverage(),
            signals=tuple(self._signals),
            outcomes=simulator.outcomes,
            not_taken=simulator.not_taken,
            silences=self._silences.rows(),
            equity=EquityCurve(curve.time_ms, curve.equity, curve.open_positions, curve.exposure),
            candles={symbol: builder.candles() for symbol, builder in sorted(self._candles.items())},
        )


def _activated(placed: PlacedEvent) -> StrategyActivated:
    assert isinstance(placed.event, StrategyActivated)
    return placed.event
