"""Everything that configurations are tried on: what the factors said, the trades, the account; read once from a source."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b

import msgspec
import numpy as np

from libs.contracts.timeline import PlacedEvent
from libs.indicators.log import TradeRows
from libs.indicators.settings import KernelSettings
from libs.kit.errors import UserError
from libs.trading.arrays import TradingSetup
from libs.trading.market import TradeTape
from libs.trading.opinions import OpinionBuilder, Opinions
from libs.trading.strategy import Strategy
from services.backtester.account import assumptions, tape_of, trading_setup
from services.backtester.coverage import CoverageCounter, check_trades, lacking_warm_up
from services.backtester.reading import joined_rows, stretches
from services.backtester.request import BacktestRequest
from services.backtester.result import InputCoverage, RunFacts
from services.backtester.runner import STEP_MS, Progress, code_version
from services.backtester.sources import Market, Span
from services.backtester.strategies import BEGINNING, activation

NO_SYMBOL = "NONE"


@dataclass(frozen=True, slots=True)
class SweepData:
    """The evaluations of the range and of the warm-up before it, which only cooldowns remember; trades of the range alone."""

    opinions: Opinions
    tapes: Mapping[str, TradeTape]
    setup: TradingSetup
    facts: RunFacts
    coverage: tuple[InputCoverage, ...]

    @property
    def scales(self) -> dict[str, tuple[int, int]]:
        """Price and quantity decimals by symbol."""
        return {name: tape.scale for name, tape in self.tapes.items()}

    def within(self, start_ms: int, end_ms: int) -> "SweepData":
        """The trades of a part of the range."""
        tapes = {}
        for name, tape in self.tapes.items():
            begin, end = np.searchsorted(tape.time_ms, [start_ms, end_ms], side="left").tolist()
            tapes[name] = tape.select(begin, end)
        return replace(self, tapes=tapes, facts=msgspec.structs.replace(self.facts, start_ms=start_ms, end_ms=end_ms))

    def digest(self) -> str:
        """What tells two sets of data and accounts apart, and the code that makes rows of them."""
        found = blake2b(digest_size=16)
        for each in fields(self.opinions):
            _update(found, getattr(self.opinions, each.name))
        for name, tape in sorted(self.tapes.items()):
            for part in (name, tape.scale, tape.time_ms, tape.price, tape.quantity):
                _update(found, part)
        for symbol, rates in sorted(self.setup.used_funding.items()):
            for known in (symbol, rates.interval_ms, rates.time_ms, rates.rate, rates.mark_price):
                _update(found, known)
        for table in (self.setup.rules.model_dump_json(), self.setup.costs.model_dump_json(), self.setup.used_filters):
            _update(found, table)
        _update(found, (self.facts.start_ms, self.facts.end_ms, self.facts.code_version))
        return found.hexdigest()


def _update(found: "blake2b", part: object) -> None:
    found.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode())


@dataclass(slots=True)
class Collector:
    """Reads a range once and keeps what a sweep of one strategy needs: with that strategy's factors, on its grid."""

    request: BacktestRequest
    source: Market
    progress: Progress
    strategy: Strategy
    _pages: dict[str, list[TradeRows]] = field(default_factory=dict)

    async def collect(self) -> SweepData:
        """Raises `UserError` for whatever a person has to decide."""
        request = self.request
        symbols = await self._symbols()
        self.progress.phase("looking at what is stored")
        span = Span(request.start_ms, request.end_ms)
        stored = await check_trades(self.source, symbols, span, allow_gaps=request.allow_gaps)
        warm_up = await lacking_warm_up(self.source, symbols, Span(request.read_from_ms, request.start_ms))
        counter = CoverageCounter([self.strategy])
        builder = OpinionBuilder(tuple(self.strategy.factors), self.strategy.interval_ms)
        self.progress.phase("asking the factors")
        await self._replay(symbols, builder, counter)
        if not request.allow_gaps:
            counter.require(self.source.description)
        tapes = {name: tape_of(joined_rows(pages)) for name, pages in sorted(self._pages.items())}
        setup, assumed = await trading_setup(request, self.source, {name: tape.scale for name, tape in tapes.items()})
        facts = RunFacts(
            strategies=((self.strategy.name, self.strategy.version, ""),),
            symbols=tuple(sorted(tapes)),
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
            trades_read=sum(len(tape) for tape in tapes.values()),
            evaluations=counter.evaluations,
        )
        return SweepData(builder.build(), tapes, setup, facts, (*counter.rows(stored), *warm_up))

    async def _symbols(self) -> list[str]:
        known = await self.source.symbols()
        wanted = [name for name in sorted(set(self.request.symbols)) or known if self.strategy.covers(name)]
        if not wanted or set(wanted) - set(known):
            raise UserError(
                f"there are no trades of {', '.join(sorted(set(wanted) - set(known))) or 'what the strategy covers'}",
                where=self.source.description,
                todo=f"known are {', '.join(known[:20]) or 'none'}",
            )
        return wanted

    async def _replay(self, symbols: Sequence[str], builder: OpinionBuilder, counter: CoverageCounter) -> None:
        request = self.request
        span = Span(request.read_from_ms, request.end_ms)
        settings = KernelSettings.for_evaluation(min(15_000, self.strategy.interval_ms))
        readers = await self.source.readers(symbols, span, settings, [_grid(self.strategy)])
        for reader in readers:
            await reader.begin()
        for until_ms in sorted({*stretches(span, STEP_MS), request.start_ms} - {span.start_ms}):
            found = await asyncio.gather(*(reader.advance(until_ms) for reader in readers))
            parts = [part for several in found for part in several]
            self.progress.reached(until_ms)
            for part in parts:
                for columns in part.columns:
                    begin, end = np.searchsorted(columns.time_ms, [request.start_ms, request.end_ms]).tolist()
                    builder.add(part.symbol, columns.rows(slice(0, end)))
                    counter.add(part.symbol, columns.rows(slice(begin, end)))
            if until_ms > request.start_ms:
                for part in parts:
                    if part.trades is not None:
                        self._pages.setdefault(part.symbol, []).append(part.trades)


def _grid(strategy: Strategy) -> PlacedEvent:
    """The strategy for no symbol: the engine keeps its grid, and does not judge what will be scored from the opinions."""
    nowhere = strategy.model_copy(update={"symbols": (NO_SYMBOL,)})
    return PlacedEvent(BEGINNING, activation(nowhere, nowhere.model_dump_json().encode()))
