"""One timeline partition as a pure state machine: records of the log in, feature rows and scored signals out.

The same log gives the same bytes, however it is cut into calls and wherever a snapshot was taken and restored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from libs.contracts.codec import Encoded, encode, traceparent_of
from libs.contracts.control import StrategyActivated, StrategyAnswered
from libs.contracts.identity import digest
from libs.contracts.market import AggTradeFrame
from libs.contracts.plausible import check
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.timeline import TimelineHeartbeat
from libs.indicators.features import FeatureRow
from libs.indicators.settings import KernelSettings
from libs.kit.errors import BadMessage
from libs.streaming.records import Record
from libs.streaming.timeline import Accepted, TimelineCursor
from libs.trading.engine.core import Engine, Evaluation
from libs.trading.engine.features import indicator_event
from libs.trading.factors import all_factors

_LONGEST_REASON = 1_000


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
    answers: list[StrategyAnswered] = field(default_factory=list)


class EngineCore:
    """State of one partition up to `next_offset`. `silent_until`: evaluations that others know already, by symbol (ms)."""

    def __init__(self, settings: KernelSettings) -> None:
        self.next_offset = 0
        self.cursor = TimelineCursor()
        self.engine = Engine(settings)
        self.venue_ms = 0
        self.watermarks: dict[str, int] = {}
        self.silent_until: dict[str, int] = {}
        self.newest: dict[str, FeatureRow] = {}
        self._answers: list[StrategyAnswered] = []

    def begin_with(self, words: Sequence[StrategyActivated], partition: int, beginning: int) -> None:
        """Configurations that stood before `beginning`, the oldest record of a log that retention has cut, in their order. What
        the engine makes of them goes out with the next records; one that it refuses changes nothing, as it did there."""
        for word in words:
            try:
                self.engine.take(word)
            except BadMessage as problem:
                self._answers.append(_answer(word, (partition, beginning), problem.detail or problem.reason))
            else:
                self._answers.append(_answer(word, (partition, beginning), None))

    def process(self, records: Sequence[Record]) -> Outputs:
        """Take records in log order; those below `next_offset` are skipped. Nothing is left over for a later call."""
        out = Outputs()
        out.answers, self._answers = self._answers, []
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
        for evaluation in self.engine.drain():
            self._say(evaluation, out)
        self._hand_over_refused(out)
        return out

    def _take(self, taken: Accepted, out: Outputs) -> None:
        event = taken.event
        if isinstance(event, AggTradeFrame):
            self.venue_ms = max(self.venue_ms, event.event_time_ms)
            assert taken.columns is not None
            self.engine.take_frame(event, taken.columns, taken.record)
        elif isinstance(event, TimelineHeartbeat):
            self.watermarks, out.beat = event.watermarks, True
        elif isinstance(event, StrategyActivated):
            self._activate(event, taken.record, out)
        else:
            self.engine.take(event)

    def _activate(self, event: StrategyActivated, record: Record, out: Outputs) -> None:
        """People ask whether their change counts: only we know, because factors are code that may be older than the file."""
        place = (record.partition, record.offset)
        try:
            self.engine.take(event)
        except BadMessage as problem:
            out.answers.append(_answer(event, place, problem.detail or problem.reason))
            raise
        out.answers.append(_answer(event, place, None))

    def _hand_over_refused(self, out: Outputs) -> None:
        refused, self.engine.refused = self.engine.refused, []
        if refused:
            out.refused.extend((cast(Record, item.note), item.problem) for item in refused)
            out.refused.sort(key=lambda item: item[0].offset)

    def _say(self, evaluation: Evaluation, out: Outputs) -> None:
        """One evaluation and its signals; all of them belong to the trace of the frame that released them."""
        row = evaluation.situation.row
        symbol, time_ms = row.symbol, row.evaluation_time_ms
        out.left_out.extend(LeftOut(symbol, name) for name in evaluation.unusable)
        self.newest[symbol] = row
        out.evaluated.append(symbol)
        if time_ms <= self.silent_until.get(symbol, -1):
            return
        for signal in evaluation.signals:
            if (output := _output(signal, symbol, evaluation.frame_id, out)) is not None:
                out.signals.append(output)
                out.counts.append(SignalCount(signal.strategy, signal.state))
        event = indicator_event(evaluation, self.engine.kernel.settings.evaluation_ms)
        if (output := _output(event, symbol, evaluation.frame_id, out)) is not None:
            out.indicators.append(output)


def _answer(event: StrategyActivated, place: tuple[int, int], refused: str | None) -> StrategyAnswered:
    """`place`: partition and offset."""
    why, factors = "" if refused is None else refused[:_LONGEST_REASON], tuple(all_factors())
    return StrategyAnswered(
        event_id=digest("answer", event.event_id, *place, refused is None, why.replace("|", "/"), ",".join(factors)),
        event_time_ms=event.event_time_ms,
        strategy=event.strategy,
        version=event.version,
        activation_id=event.event_id,
        taken=refused is None,
        partition=place[0],
        offset=place[1],
        reason=why,
        factors=factors,
    )


def _output(event: IndicatorComputed | SignalScored, symbol: str, frame_id: str, out: Outputs) -> Output | None:
    """The record of an event, or None for one that no reader could decode: at the end of time, exits would lie beyond it."""
    try:
        check(event)
    except BadMessage:
        out.left_out.append(LeftOut(symbol, event.SCHEMA))
        return None
    return Output(symbol, encode(event, traceparent=traceparent_of(frame_id, event.event_id)))
