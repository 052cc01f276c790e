"""The timeline itself: what the live engine read, through the same gates, from the oldest record that the broker keeps."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.market import AggTradeFrame, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.timeline import PlacedEvent
from libs.contracts.topics import TIMELINE
from libs.indicators.log import TradeRows, joined_rows, rows_of_frame
from libs.indicators.settings import KernelSettings
from libs.kit.durations import DAY_MS
from libs.kit.errors import BadMessage, UserError
from libs.streaming.aged_out import aged_out
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import Accepted, TimelineCursor, Watermarks, accepted
from libs.trading.columns import joined
from libs.trading.engine.core import Engine, Evaluation
from libs.trading.mark_prices import WaitingMarks
from services.backtester.result import View
from services.backtester.sources import Reader, Settlement, Span, Stored, Stretch, empty_days


@dataclass(slots=True)
class _Seen:
    """What a first pass over the log found of a symbol in a span."""

    rows: int = 0
    first_id: int = -1
    last_id: int = -1
    first_ms: int = -1
    last_ms: int = -1
    days: set[int] = field(default_factory=set)


@dataclass(slots=True)
class TimelineMarket:
    """`bootstrap`: the broker. The whole log is read once to see what it has, and once to replay it."""

    bootstrap: str
    _seen: dict[str, _Seen] | None = None
    _settled: dict[str, list[Settlement]] = field(default_factory=dict)
    _activated: list[PlacedEvent] = field(default_factory=list)
    _span: Span | None = None

    @property
    def description(self) -> str:
        return f"the topic {TIMELINE.name}"

    @property
    def view(self) -> View:
        return "as-seen"

    @property
    def has_mark_prices(self) -> bool:
        return True

    async def symbols(self) -> list[str]:
        return sorted(await self._look(Span(0, 1 << 62)))

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        seen = (await self._look(span)).get(symbol)
        if seen is None or not seen.rows:
            return None
        days = [str(np.datetime64(day, "D")) for day in seen.days]
        missing = seen.last_id - seen.first_id + 1 - seen.rows
        lacking = tuple(day for day in empty_days(span, ()) if day not in days)
        return Stored(symbol, seen.rows, missing, lacking, span, Span(seen.first_ms, seen.last_ms + 1))

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        await self._look(Span(0, 1 << 62))
        return self._activated

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        async with LogReader(self.bootstrap) as log:
            numbers = await log.partitions(TIMELINE.name)
        events = [placed.event for placed in given]
        return [PartitionReplay(self.bootstrap, number, frozenset(symbols), settings, events) for number in numbers]

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        await self._look(Span(0, 1 << 62))
        return [row for row in self._settled.get(symbol, []) if span.start_ms <= row.time_ms < span.end_ms]

    async def _look(self, span: Span) -> dict[str, _Seen]:
        if self._seen is not None and self._span == span:
            return self._seen
        self._seen, self._span, self._settled, self._activated = {}, span, {}, []
        async with LogReader(self.bootstrap) as log:
            self._activated += [PlacedEvent(-1, word) for word in await aged_out(log, 0)]
            for number in await log.partitions(TIMELINE.name):
                marks = Watermarks()
                async for taken in _accepted(log, number, TimelineCursor()):
                    marks.follow(taken)
                    self._note(taken, number, span, marks)
        return self._seen

    def _note(self, taken: Accepted, partition: int, span: Span, marks: Watermarks) -> None:
        event = taken.event
        if isinstance(event, AggTradeFrame):
            assert taken.columns is not None
            for rows in rows_of_frame(event, taken.columns):
                self._count(rows, span)
        elif isinstance(event, StrategyActivated):
            if partition == 0:
                self._activated.append(PlacedEvent(max(marks.by_symbol.values(), default=-1), event))
        elif isinstance(event, MarketIndicatorObserved) and event.kind == "funding_rate":
            rate, mark = event.values.get("funding_rate"), event.values.get("mark_price")
            if rate is not None:
                self._settled.setdefault(event.symbol, []).append(Settlement(event.event_time_ms, rate, mark))

    def _count(self, rows: TradeRows, span: Span) -> None:
        assert self._seen is not None
        inside = rows.rows(rows.before(span.start_ms), rows.before(span.end_ms))
        if not len(inside):
            return
        seen = self._seen.setdefault(rows.symbol, _Seen())
        if seen.first_id < 0:
            seen.first_id, seen.first_ms = int(inside.agg_id[0]), int(inside.time[0])
        seen.last_id, seen.last_ms, seen.rows = int(inside.agg_id[-1]), int(inside.time[-1]), seen.rows + len(inside)
        seen.days.update(np.unique(inside.time // DAY_MS).tolist())


@dataclass(slots=True)
class PartitionReplay:
    """One partition through an engine. `given`: configurations that count from the beginning; the recorded ones then do not."""

    bootstrap: str
    partition: int
    symbols: frozenset[str]
    settings: KernelSettings
    given: Sequence[Event]
    trades_read: int = 0
    _engine: Engine = field(init=False)
    _records: AsyncIterator[Accepted] | None = None
    _log: LogReader | None = None
    _watermarks: Watermarks = field(default_factory=Watermarks)
    _evaluations: list[Evaluation] = field(default_factory=list)
    _tapes: dict[str, list[TradeRows]] = field(default_factory=dict)
    _ended: bool = False
    _keeps_marks: bool = False
    _marks: dict[str, WaitingMarks] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._engine = Engine(self.settings)

    def keep_mark_prices(self) -> None:
        self._keeps_marks = True

    async def begin(self) -> None:
        for event in self.given:
            self._engine.take(event)
        self._log = await LogReader(self.bootstrap).__aenter__()
        for word in () if self.given else await aged_out(self._log, self.partition):
            self._decide(word)
        self._records = _accepted(self._log, self.partition, TimelineCursor())

    async def advance(self, until_ms: int) -> list[Stretch]:
        while not self._ended and not self._proven(until_ms):
            await self._take_some()
        self._evaluations += self._engine.drain()
        due = [item for item in self._evaluations if item.situation.row.evaluation_time_ms <= until_ms]
        self._evaluations = [item for item in self._evaluations if item.situation.row.evaluation_time_ms > until_ms]
        marks = {symbol: waiting.take(until_ms) for symbol, waiting in self._marks.items()}
        symbols = [symbol for symbol in sorted(self._tapes) if symbol in self.symbols]
        return [replace(self._stretch(symbol, due, until_ms), marks=marks.get(symbol)) for symbol in symbols]

    def _stretch(self, symbol: str, due: Sequence[Evaluation], until_ms: int) -> Stretch:
        mine = [item for item in due if item.situation.row.symbol == symbol]
        columns = [joined([item.situation.columns for item in mine])] if mine else []
        return Stretch(symbol, self._cut(symbol, until_ms), mine, columns)

    async def close(self) -> None:
        log, self._log, self._ended = self._log, None, True
        if log is not None:
            await log.__aexit__(None, None, None)

    def _proven(self, until_ms: int) -> bool:
        """Every symbol that has appeared is proven up to there; a symbol that appears later has nothing before."""
        known = self._watermarks.by_symbol
        return bool(known) and all(known[symbol] >= until_ms - 1 for symbol in known)

    async def _take_some(self, records: int = 200) -> None:
        assert self._records is not None
        for _ in range(records):
            taken = await anext(self._records, None)
            if taken is None:
                await self.close()
                return
            self._watermarks.follow(taken)
            self._take(taken)

    def _take(self, taken: Accepted) -> None:
        event = taken.event
        if isinstance(event, AggTradeFrame):
            assert taken.columns is not None
            self._engine.take_frame(event, taken.columns)
            for rows in rows_of_frame(event, taken.columns):
                self._tapes.setdefault(rows.symbol, []).append(rows)
                self.trades_read += len(rows)
            return
        if isinstance(event, StrategyActivated) and self.given:
            return
        if self._keeps_marks and isinstance(event, MarkPriceObserved) and event.symbol in self.symbols:
            waiting = self._marks.setdefault(event.symbol, WaitingMarks(event.symbol))
            waiting.add(event, self._watermarks.of(event.symbol))
        self._decide(event)

    def _decide(self, event: Event) -> None:
        with suppress(BadMessage):  # the live engine refused it as well
            self._engine.take(event)

    def _cut(self, symbol: str, until_ms: int) -> TradeRows:
        try:
            whole = joined_rows(self._tapes[symbol])
        except ValueError:
            raise UserError(
                f"{symbol} changes its decimals in this range",
                where=TIMELINE.name,
                todo="end the range before, and begin after",
            ) from None
        rows = whole.before(until_ms)
        self._tapes[symbol] = [whole.rows(rows, len(whole))]
        return whole.rows(0, rows)


async def _accepted(log: LogReader, partition: int, cursor: TimelineCursor) -> AsyncIterator[Accepted]:
    end = await log.end(TIMELINE.name, partition)
    refused: list[Record] = []
    async for batch in log.range(TIMELINE.name, partition, await log.beginning(TIMELINE.name, partition), end):
        for taken in accepted(batch, cursor, refused):
            yield taken
