"""One timeline partition as a pure state machine: records of the log in, feature rows and scored signals out.

The same log gives the same bytes, however it is cut into calls and wherever a snapshot was taken and restored.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from libs.contracts.codec import Encoded, encode, traceparent_of
from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradesBootstrapped,
)
from libs.contracts.plausible import check
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.timeline import TimelineHeartbeat
from libs.indicators.features import FeatureRow, Scale, feature_row, read_table
from libs.indicators.kernel import Kernel
from libs.indicators.log import LogBatch
from libs.indicators.settings import KernelSettings, OverflowRisk
from libs.kit.errors import BadMessage
from libs.streaming.records import Record
from libs.streaming.timeline import Accepted, TimelineCursor
from libs.trading.factor import Situation
from services.signal_engine.features import indicator_event
from services.signal_engine.slow_inputs import SymbolInputs, as_events, leave_out_implausible
from services.signal_engine.strategies import StrategyBook


class Output(NamedTuple):
    """A record to send; both of its topics have the timeline's partition numbers."""

    symbol: str
    encoded: Encoded


class SignalCount(NamedTuple):
    """What a scored signal was, for the metrics."""

    strategy: str
    state: str


class LeftOut(NamedTuple):
    """What was calculated and not said, because the codec would refuse it: a slow input's name, or an event's schema."""

    symbol: str
    what: str


@dataclass(slots=True)
class Outputs:
    """What a call gave. An evaluation's indicator record says that it is complete: send it after `signals` are kept."""

    signals: list[Output] = field(default_factory=list)
    indicators: list[Output] = field(default_factory=list)
    counts: list[SignalCount] = field(default_factory=list)
    evaluated: list[str] = field(default_factory=list)
    beat: bool = False
    refused: list[tuple[Record, BadMessage]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


class _Origin(NamedTuple):
    """The frame whose rows end at a place of the kernel's batch."""

    rows_end: int
    record: Record
    frame_id: str


class EngineCore:
    """State of one partition up to `next_offset`. `silent_until`: evaluations that others know already, by symbol (ms)."""

    def __init__(self, settings: KernelSettings) -> None:
        self.next_offset = 0
        self.cursor = TimelineCursor()
        self.kernel = Kernel(settings)
        self.inputs: dict[str, SymbolInputs] = {}
        self.book = StrategyBook()
        self.venue_ms = 0
        self.watermarks: dict[str, int] = {}
        self.silent_until: dict[str, int] = {}
        self.newest: dict[str, FeatureRow] = {}
        self._pending: LogBatch | None = None
        self._origins: list[_Origin] = []

    def process(self, records: Sequence[Record]) -> Outputs:
        """Take records in log order; those below `next_offset` are skipped. Nothing is left over for a later call."""
        out = Outputs()
        for record in records:
            if record.offset < self.next_offset:
                continue
            self.next_offset = record.offset + 1
            try:
                taken = self.cursor.accept(record)
                if taken is not None:
                    self._take(taken, out)
            except BadMessage as problem:
                out.refused.append((record, problem))
        self._evaluate(out)
        return out

    def symbol_inputs(self, symbol: str) -> SymbolInputs:
        """The slow inputs of a symbol, empty at first."""
        found = self.inputs.get(symbol)
        if found is None:
            found = self.inputs[symbol] = SymbolInputs()
        return found

    def _take(self, taken: Accepted, out: Outputs) -> None:
        event = taken.event
        if isinstance(event, AggTradeFrame):
            self._add_frame(event, taken, out)
            return
        if isinstance(event, TimelineHeartbeat):
            self.watermarks, out.beat = event.watermarks, True
            return
        if not isinstance(
            event, TradesBootstrapped | LiquidationObserved | MarketIndicatorObserved | MarkPriceObserved
            | FeedStatusChanged | StrategyActivated
        ):  # fmt: skip
            return
        if isinstance(event, FeedStatusChanged) and not self.symbol_inputs(event.symbol).is_news(event):
            return  # what is told every ten seconds must not cut the kernel's batches
        self._evaluate(out)
        self._apply(event)

    def _add_frame(self, frame: AggTradeFrame, taken: Accepted, out: Outputs) -> None:
        self.venue_ms = max(self.venue_ms, frame.event_time_ms)
        if self._pending is None:
            self._pending = self.kernel.batch()
        assert taken.columns is not None
        for risk in self._pending.add_frame(frame, taken.columns):
            out.refused.append((taken.record, BadMessage("overflow_risk", str(risk))))
        self._origins.append(_Origin(len(self._pending), taken.record, frame.event_id))

    def _apply(self, event: Event) -> None:
        """A record beside trades counts for every evaluation that a later record releases."""
        if isinstance(event, MarketIndicatorObserved):
            self.symbol_inputs(event.symbol).take_indicator(event)
        elif isinstance(event, MarkPriceObserved):
            self.symbol_inputs(event.symbol).take_mark_price(event)
        elif isinstance(event, LiquidationObserved):
            self.symbol_inputs(event.symbol).take_liquidation(event)
        elif isinstance(event, FeedStatusChanged):
            self.symbol_inputs(event.symbol).take_feed(event)
        elif isinstance(event, StrategyActivated):
            self.book.activate(event)
            self._refine_grid()
        elif isinstance(event, TradesBootstrapped):
            try:
                self.kernel.bootstrap(event)
            except OverflowRisk as risk:
                raise BadMessage("overflow_risk", str(risk)) from None

    def _refine_grid(self) -> None:
        """A strategy asks for a finer grid than the kernel has: the kernel starts again, cold, at this place of the log."""
        current = self.kernel.settings.evaluation_ms
        wanted = min(current, self.book.finest_ms(current))
        if wanted < current:
            self.kernel = Kernel(KernelSettings.for_evaluation(wanted))

    def _evaluate(self, out: Outputs) -> None:
        """Run the kernel over the frames collected so far and say what it released, in log order."""
        batch, self._pending = self._pending, None
        origins, self._origins = self._origins, []
        if batch is None:
            return
        table = self.kernel.process(batch)
        if self.kernel.overflows:
            self._refuse(origins, out)
        for row in read_table(table):
            released_by = _origin(origins, row["place"]).frame_id
            scale = Scale(*batch.scale_at(row["symbol"], row["place"]))
            self._say(feature_row(row, scale, self.kernel.settings), released_by, out)

    def _refuse(self, origins: list[_Origin], out: Outputs) -> None:
        """Frames with rows that fit no 64 bits are put aside, once a symbol; their other rows count."""
        found = {
            (_origin(origins, overflow.place).record.offset, overflow.symbol): _origin(origins, overflow.place).record
            for overflow in self.kernel.overflows
        }
        for (_, symbol), record in found.items():
            why = "a sum or a price would leave 64 bits: the trade is left out, and the symbol starts cold"
            out.refused.append((record, BadMessage("overflow_risk", f"{symbol}: {why}")))
        out.refused.sort(key=lambda refused: refused[0].offset)

    def _say(self, row: FeatureRow, frame_id: str, out: Outputs) -> None:
        """One evaluation and its signals; all of them belong to the trace of the frame that released them."""
        symbol, time_ms = row.symbol, row.evaluation_time_ms
        inputs = self.symbol_inputs(symbol)
        readings, unusable = leave_out_implausible(inputs.at(time_ms))
        out.left_out.extend(LeftOut(symbol, name) for name in unusable)
        scores, signals = self.book.evaluate(Situation(row, readings, inputs.feeds_at(time_ms)))
        self.newest[symbol] = row
        out.evaluated.append(symbol)
        if time_ms <= self.silent_until.get(symbol, -1):
            return
        for signal in signals:
            if (output := _output(signal, symbol, frame_id, out)) is not None:
                out.signals.append(output)
                out.counts.append(SignalCount(signal.strategy, signal.state))
        event = indicator_event(row, self.kernel.settings.evaluation_ms, as_events(readings, time_ms), scores)
        if (output := _output(event, symbol, frame_id, out)) is not None:
            out.indicators.append(output)


def _output(event: IndicatorComputed | SignalScored, symbol: str, frame_id: str, out: Outputs) -> Output | None:
    """The record of an event, or None for one that no reader could decode: at the end of time, exits would lie beyond it."""
    try:
        check(event)
    except BadMessage:
        out.left_out.append(LeftOut(symbol, event.SCHEMA))
        return None
    return Output(symbol, encode(event, traceparent=traceparent_of(frame_id, event.event_id)))


def _origin(origins: list[_Origin], place: int) -> _Origin:
    """The frame that a row of the batch came with."""
    return origins[bisect_right(origins, place, key=lambda origin: origin.rows_end)]
