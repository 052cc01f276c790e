"""One partition of the log as the paper trader has read it: trades, signals and settlements that accounts have not seen yet, and
the time up to which nothing of them can still come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.market import (
    UNKNOWN_TIME,
    AggTradeFrame,
    FeedStatusChanged,
    MarketIndicatorObserved,
    MarkPriceObserved,
)
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.exchanges.feed_status import NO_LONGER_FOLLOWED
from libs.indicators.log import rows_of_frame
from libs.kit.errors import BadMessage
from libs.streaming.records import Record
from libs.streaming.timeline import Accepted, TimelineCursor, Watermarks
from libs.trading.inputs import TRADE_FEED
from libs.trading.mark_prices import WaitingMarks
from libs.trading.market import TradeTape
from libs.trading.strategy import StrategyInvalid, read_strategy
from services.paper_trader.settlements import Settlements

NOTHING_KNOWN = -1


@dataclass(slots=True)
class Noticed:
    """What a person should hear of: counts by what was passed over, and settlements whose rate was assumed (symbol, ms)."""

    passed_over: dict[str, int] = field(default_factory=dict)
    assumed: list[tuple[str, int]] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Something was passed over."""
        self.passed_over[what] = self.passed_over.get(what, 0) + number


@dataclass(slots=True)
class Partition:
    """The three topics of one partition number. `next_offsets`: the timeline's, the scored signals', the evaluations'.

    `evaluated`: each symbol's newest evaluation whose signals are all here, and its grid (ms). `intervals`: of the strategies
    that the timeline has told of, by name; `by_mark`: those whose stops mark prices trigger, or did once. `tapes`, `signals`
    and, from the first such strategy on, `marks` wait for the accounts. `gone`: symbols that nobody follows any more, until they
    trade again.
    """

    next_offsets: list[int] = field(default_factory=lambda: [0, 0, 0])
    cursor: TimelineCursor = field(default_factory=TimelineCursor)
    watermarks: Watermarks = field(default_factory=Watermarks)
    evaluated: dict[str, tuple[int, int]] = field(default_factory=dict)
    intervals: dict[str, int] = field(default_factory=dict)
    funding: dict[str, Settlements] = field(default_factory=dict)
    tapes: dict[str, list[TradeTape]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    signals: dict[str, SignalScored] = field(default_factory=dict)
    by_mark: set[str] = field(default_factory=set)
    marks: dict[str, WaitingMarks] = field(default_factory=dict)

    def take_timeline(self, records: Sequence[Record], noticed: Noticed) -> None:
        """Records in log order; those that were taken before are skipped, those that cannot be read are others' to report."""
        for record in self._fresh(0, records):
            try:
                taken = self.cursor.accept(record)
            except BadMessage:
                noticed.count("unreadable")
                continue
            if taken is not None:
                self._take(taken, noticed)

    def take_signals(self, records: Sequence[Record], noticed: Noticed) -> None:
        """Scored signals. An evaluation that is complete already brings nothing new: that is a repetition."""
        for event in self._events(1, records, noticed):
            if not isinstance(event, SignalScored) or event.state != "emitted":
                continue
            if event.event_time_ms <= self.evaluated.get(event.symbol, (NOTHING_KNOWN, 0))[0]:
                noticed.count("repeated_signal")
            else:
                self.signals.setdefault(event.event_id, event)

    def take_evaluations(self, records: Sequence[Record], noticed: Noticed) -> None:
        """Evaluations, each after all signals that stood on their topic when it was read (docs/decisions/0025)."""
        for event in self._events(2, records, noticed):
            if isinstance(event, IndicatorComputed):
                known = self.evaluated.get(event.symbol, (NOTHING_KNOWN, 0))
                self.evaluated[event.symbol] = max(known, (event.event_time_ms, event.interval_ms))

    def proven_until(self, symbol: str, *, funding: bool) -> int:
        """The time (ms) before which no trade, signal or settlement of the symbol can still come."""
        evaluation_ms, grid_ms = self.evaluated.get(symbol, (NOTHING_KNOWN, 0))
        # Strategies are due on grids of their own; the finest one that is known says when a signal can come next.
        step_ms = min(grid_ms, *self.intervals.values()) if self.intervals else grid_ms
        until_ms = min(self.watermarks.of(symbol) + 1, evaluation_ms + step_ms)
        if funding and symbol in self.funding:
            until_ms = min(until_ms, self.funding[symbol].due_ms)
        return until_ms

    @property
    def followed(self) -> dict[str, int]:
        """The watermarks of the symbols that somebody follows."""
        return {symbol: ms for symbol, ms in self.watermarks.by_symbol.items() if symbol not in self.gone}

    def _fresh(self, topic: int, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            if record.offset >= self.next_offsets[topic]:
                self.next_offsets[topic] = record.offset + 1
                yield record

    def _events(self, topic: int, records: Sequence[Record], noticed: Noticed) -> Iterator[Event]:
        for record in self._fresh(topic, records):
            try:
                yield decode(record.value, record.headers)
            except BadMessage:
                noticed.count("unreadable")

    def _take(self, taken: Accepted, noticed: Noticed) -> None:
        event = taken.event
        self.watermarks.follow(taken)
        if isinstance(event, AggTradeFrame):
            assert taken.columns is not None
            for rows in rows_of_frame(event, taken.columns):
                self.gone.discard(rows.symbol)
                self.tapes.setdefault(rows.symbol, []).append(TradeTape.of(rows))
            for part in event.slices:
                self._settle(part.symbol, noticed)
        elif isinstance(event, MarketIndicatorObserved | MarkPriceObserved):
            self._take_funding(event, noticed)
            if self.by_mark and isinstance(event, MarkPriceObserved):
                waiting = self.marks.setdefault(event.symbol, WaitingMarks(event.symbol))
                waiting.add(event, self.watermarks.of(event.symbol))
        elif isinstance(event, StrategyActivated):
            self.take_strategy(event, noticed)
        elif isinstance(event, FeedStatusChanged) and event.feed == TRADE_FEED and event.detail == NO_LONGER_FOLLOWED:
            self.gone.add(event.symbol)

    def take_strategy(self, event: StrategyActivated, noticed: Noticed) -> None:
        """A configuration of the timeline, or one whose copy retention has deleted there."""
        try:
            strategy = read_strategy(bytes(event.definition), event.strategy)
        except StrategyInvalid:
            noticed.count("unreadable")
            return
        self.intervals[event.strategy] = strategy.interval_ms
        if strategy.bracket.working_type == "mark":
            # It stays here when it changes: what it holds is still to be stopped as it was meant.
            self.by_mark.add(event.strategy)

    def _settlements(self, symbol: str) -> Settlements | None:
        """The symbol's settlements, None before anything is proven of it: the first one that counts comes after that."""
        found = self.funding.get(symbol)
        if found is None and (watermark_ms := self.watermarks.of(symbol)) != UNKNOWN_TIME:
            found = self.funding[symbol] = Settlements(watermark_ms)
        return found

    def _take_funding(self, event: MarketIndicatorObserved | MarkPriceObserved, noticed: Noticed) -> None:
        symbol = event.symbol
        if (settlements := self._settlements(symbol)) is None:
            return
        if isinstance(event, MarkPriceObserved):
            settlements.take_mark_price(event, self.watermarks.of(symbol))
        elif event.kind == "funding_rate":
            settlements.take_rate(event, self.watermarks.of(symbol))
            self._settle(symbol, noticed)

    def _settle(self, symbol: str, noticed: Noticed) -> None:
        if (settlements := self._settlements(symbol)) is not None:
            noticed.assumed += [(symbol, ms) for ms in settlements.follow(self.watermarks.of(symbol))]
