"""Everything that configurations are tried on: what the factors said, the trades, the account; read once from a source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b

import msgspec
import numpy as np

from libs.contracts.timeline import PlacedEvent
from libs.indicators.log import TradeRows, joined_rows
from libs.kit.errors import UserError
from libs.trading.arrays import TradingSetup
from libs.trading.mark_prices import MarkTape, joined_marks
from libs.trading.market import TradeTape
from libs.trading.opinions import OpinionBuilder, Opinions
from libs.trading.strategy import Strategy
from services.backtester.account import trading_setup
from services.backtester.request import BacktestRequest
from services.backtester.result import InputCoverage, RunFacts
from services.backtester.sources import Market
from services.backtester.strategies import BEGINNING, activation
from services.backtester.walk import Progress, Walk

NO_SYMBOL = "NONE"


@dataclass(frozen=True, slots=True)
class SweepData:
    """The evaluations of the range and of the warm-up before it, which only cooldowns remember; trades of the range alone.
    `marks`: its mark prices, where a configuration's stops may be triggered by them."""

    opinions: Opinions
    tapes: Mapping[str, TradeTape]
    setup: TradingSetup
    facts: RunFacts
    coverage: tuple[InputCoverage, ...]
    marks: Mapping[str, MarkTape] = field(default_factory=dict)

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
        facts = msgspec.structs.replace(self.facts, start_ms=start_ms, end_ms=end_ms)
        marks = {name: steps.between(start_ms, end_ms) for name, steps in self.marks.items()}
        return replace(self, tapes=tapes, marks=marks, facts=facts)

    def digest(self) -> str:
        """What tells two sets of data and accounts apart, and the code that makes rows of them."""
        found = blake2b(digest_size=16)
        for each in fields(self.opinions):
            _update(found, getattr(self.opinions, each.name))
        for name, tape in sorted(self.tapes.items()):
            for part in (name, tape.scale, tape.time_ms, tape.price, tape.quantity):
                _update(found, part)
        for name, steps in sorted(self.marks.items()):
            for column in (name, steps.time_ms, steps.low, steps.high):
                _update(found, column)
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
    _marks: dict[str, list[MarkTape]] = field(default_factory=dict)

    async def collect(self) -> SweepData:
        """Raises `UserError` for whatever a person has to decide."""
        walk = Walk(self.request, self.source, self.progress, await self._symbols(), [self.strategy])
        await walk.look()
        builder = OpinionBuilder(tuple(self.strategy.factors), self.strategy.interval_ms)
        await self._read(walk, builder)
        coverage = walk.coverage()
        tapes = {name: TradeTape.of(joined_rows(pages)) for name, pages in sorted(self._pages.items())}
        scales = {name: tape.scale for name, tape in tapes.items()}
        setup, assumed = await trading_setup(self.request, self.source, scales)
        facts = walk.facts([(self.strategy.name, self.strategy.version, "")], sorted(tapes), assumed)
        traded = msgspec.structs.replace(facts, trades_read=sum(len(tape) for tape in tapes.values()))
        marks = {name: joined_marks(parts) for name, parts in sorted(self._marks.items())}
        return SweepData(builder.build(), tapes, setup, traded, coverage, marks)

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

    async def _read(self, walk: Walk, builder: OpinionBuilder) -> None:
        given = [_grid(self.strategy)]
        async with walk.steps(self.strategy.interval_ms, given, "asking the factors") as steps:
            async for until_ms, parts in steps:
                for part in parts:
                    for columns in part.columns:
                        end = int(np.searchsorted(columns.time_ms, self.request.end_ms))
                        builder.add(part.symbol, columns.rows(slice(0, end)))
                    if part.trades is not None and until_ms > self.request.start_ms:
                        self._pages.setdefault(part.symbol, []).append(part.trades)
                        if part.marks is not None:
                            self._marks.setdefault(part.symbol, []).append(part.marks)


def _grid(strategy: Strategy) -> PlacedEvent:
    """The strategy for no symbol: the engine keeps its grid, and does not judge what will be scored from the opinions."""
    nowhere = strategy.model_copy(update={"symbols": (NO_SYMBOL,)})
    return PlacedEvent(BEGINNING, activation(nowhere, nowhere.model_dump_json().encode()))
