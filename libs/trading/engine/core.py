"""The engine of any number of symbols as a pure state machine over accepted events; who reads the log gives them in its order.

The same events give the same evaluations, however they are cut into calls and wherever the state was kept and restored.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.frames import TradeColumns
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradesBootstrapped,
)
from libs.contracts.signals import SignalScored, StrategyScore
from libs.indicators.features import FeatureRow, Scale, feature_row, read_table
from libs.indicators.kernel import Kernel
from libs.indicators.log import LogBatch
from libs.indicators.settings import KernelSettings, OverflowRisk
from libs.kit.errors import BadMessage
from libs.trading.engine.book import StrategyBook
from libs.trading.engine.slow_inputs import SymbolInputs, leave_out_implausible
from libs.trading.factor import Situation
from libs.trading.inputs import FeedReading, Reading

DECIDING = (
    TradesBootstrapped,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    FeedStatusChanged,
    StrategyActivated,
)
"""Events beside trades that an evaluation depends on."""


class Evaluation(NamedTuple):
    """One symbol at one instant of the grid: what was known, each due strategy's score, a signal for each threshold crossed.

    `frame_id`: the frame that released it. `unusable`: slow inputs that no event may carry, which count as unknown.
    """

    situation: Situation
    scores: tuple[StrategyScore, ...]
    signals: list[SignalScored]
    frame_id: str
    unusable: list[str]


class _Frame(NamedTuple):
    """The frame whose rows end at a place of the kernel's batch, and the caller's note of where it stands."""

    rows_end: int
    frame_id: str
    note: object


@dataclass(slots=True)
class Refused:
    """What could not be taken, with the caller's note of where it stands."""

    note: object
    problem: BadMessage


@dataclass(slots=True)
class Engine:
    """State after the events taken so far. Frames are collected until something else counts, or `drain` is called.

    `refused` grows with what could not be taken; the caller takes it away.
    """

    settings: KernelSettings
    kernel: Kernel = field(init=False)
    inputs: dict[str, SymbolInputs] = field(default_factory=dict)
    book: StrategyBook = field(default_factory=StrategyBook)
    refused: list[Refused] = field(default_factory=list)
    _pending: LogBatch | None = None
    _frames: list[_Frame] = field(default_factory=list)
    _ready: list[Evaluation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kernel = Kernel(self.settings)

    def symbol_inputs(self, symbol: str) -> SymbolInputs:
        """The slow inputs of a symbol, empty at first."""
        found = self.inputs.get(symbol)
        if found is None:
            found = self.inputs[symbol] = SymbolInputs()
        return found

    def take_frame(self, frame: AggTradeFrame, columns: TradeColumns, note: object = None) -> None:
        """Collect the rows of a frame that count; a symbol whose scale does not fit is refused with the note."""
        if self._pending is None:
            self._pending = self.kernel.batch()
        for risk in self._pending.add_frame(frame, columns):
            self.refused.append(Refused(note, BadMessage("overflow_risk", str(risk))))
        self._frames.append(_Frame(len(self._pending), frame.event_id, note))

    def take(self, event: Event) -> None:
        """Take an event beside trades: it counts for every evaluation that a later event releases.

        Events that decide nothing change nothing. Raises `BadMessage` for one that cannot be what it says; it is as if it had
        not come.
        """
        if not isinstance(event, DECIDING):
            return
        if isinstance(event, FeedStatusChanged) and not self.symbol_inputs(event.symbol).is_news(event):
            return  # what is told every ten seconds must not cut the kernel's batches
        self._flush()
        self.apply(event)

    def drain(self) -> list[Evaluation]:
        """Everything that the events so far have released and that was not drained yet, in log order."""
        self._flush()
        found, self._ready = self._ready, []
        return found

    def _flush(self) -> None:
        """Run the kernel over the frames collected so far."""
        batch, self._pending = self._pending, None
        frames, self._frames = self._frames, []
        if batch is None:
            return
        table = self.kernel.process(batch)
        if self.kernel.overflows:
            self._refuse(frames)
        self._ready.extend(self._evaluations(read_table(table), batch, frames))

    def _evaluations(self, rows: list[dict[str, int]], batch: LogBatch, frames: list[_Frame]) -> Iterator[Evaluation]:
        for row in rows:
            scale = Scale(*batch.scale_at(row["symbol"], row["place"]))
            yield self.evaluate(feature_row(row, scale, self.kernel.settings), _frame_at(frames, row["place"]).frame_id)

    def evaluate(self, row: FeatureRow, frame_id: str) -> Evaluation:
        """The strategies' verdicts on a feature row, with the slow inputs of this place."""
        inputs = self.symbol_inputs(row.symbol)
        readings, unusable = leave_out_implausible(inputs.at(row.evaluation_time_ms))
        found = self.judge(row, frame_id, readings, inputs.feeds_at(row.evaluation_time_ms))
        return found._replace(unusable=unusable)

    def judge(
        self, row: FeatureRow, frame_id: str, readings: Mapping[str, Reading], feeds: Mapping[str, FeedReading]
    ) -> Evaluation:
        """The same with slow inputs and states of feeds that are known already, all of which events may carry."""
        situation = Situation(row, readings, feeds)
        scores, signals = self.book.evaluate(situation)
        return Evaluation(situation, scores, signals, frame_id, [])

    def apply(self, event: Event) -> None:
        """Take an event at once, whatever frames are still collected; see `take`."""
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

    def _refuse(self, frames: list[_Frame]) -> None:
        """Frames with rows that fit no 64 bits are put aside, once a symbol; their other rows count."""
        seen: set[tuple[int, str]] = set()
        for overflow in self.kernel.overflows:
            frame = _frame_at(frames, overflow.place)
            if (frame.rows_end, overflow.symbol) not in seen:
                seen.add((frame.rows_end, overflow.symbol))
                why = "a sum or a price would leave 64 bits: the trade is left out, and the symbol starts cold"
                self.refused.append(Refused(frame.note, BadMessage("overflow_risk", f"{overflow.symbol}: {why}")))


def _frame_at(frames: list[_Frame], place: int) -> _Frame:
    """The frame that a row of the batch came with."""
    return frames[bisect_right(frames, place, key=lambda frame: frame.rows_end)]
