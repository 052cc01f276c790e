"""The engine over stored columns: a symbol's trades in stretches, and the events beside them at the places that the tables kept.

A row's `effective_at` is the symbol's watermark W at its place in the log. Grid time E is released by the record that proves
E - 1, so the row counts for E exactly if W < E - 1; nothing else of the log's order matters to an evaluation. The kernel does
not look at slow inputs at all, so it may run ahead over a whole stretch. Signals are the bytes that the live engine made.

A day has thousands of evaluations and few signals: factors are asked about all of a stretch at once, and only where the sums
of contributions come near a threshold does a strategy judge, by the very function that judges live.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.market import TradesBootstrapped
from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.columns import columns_of_table
from libs.indicators.features import Scale, feature_row, read_table
from libs.indicators.log import LogBatch, TradeRows
from libs.indicators.settings import KernelSettings, OverflowRisk
from libs.kit.errors import BadMessage
from libs.trading.columns import Columns, Known, columns_of
from libs.trading.engine.core import Engine, Evaluation
from libs.trading.engine.slow_inputs import leave_out_implausible
from libs.trading.factor import Situation, ask_together


def due_holes(holes: Sequence[PlacedHole], following_id: int | None, until_ms: int) -> int:
    """How many of the holes, by rising ids, stand in the log before everything that counts from `until_ms` on.

    `following_id`: the first id with an effective time of `until_ms` or later; None when there is none. A frame is one place for
    all its rows, so a hole may have the place of an earlier instant than the trade before it, and comes after that all the same.
    """
    count = 0
    for place_ms, hole in holes:
        if place_ms + 1 >= until_ms or (following_id is not None and following_id < hole.first_missing_id):
            break
        count += 1
    return count


class Evaluated(NamedTuple):
    """A stretch of evaluations in order: what factors see of all, in parts, and those that may have ended in a signal, whole."""

    columns: list[Columns]
    evaluations: list[Evaluation]


@dataclass(slots=True)
class ColumnEngine:
    """One symbol's engine. `every`: give each evaluation whole, not only those that may have ended in a signal. `refused`: events
    that could not be what they say; they count for nothing, as in the live engine."""

    settings: KernelSettings
    symbol: str
    every: bool = False
    refused: list[BadMessage] = field(default_factory=list)
    engine: Engine = field(init=False)
    _waiting: deque[PlacedEvent] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.engine = Engine(self.settings)

    def place(self, events: Sequence[PlacedEvent]) -> None:
        """Events in log order, none before one that was placed earlier."""
        self._waiting.extend(events)

    def advance(self, trades: TradeRows, holes: Sequence[PlacedHole], until_ms: int) -> Evaluated:
        """Take everything with an effective time below `until_ms`: trades, and the holes that are due by then (`due_holes`).

        All events with an effective place below must have been placed. Returns the evaluations up to `until_ms`, in order.
        Raises `OverflowRisk` when the symbol's numbers do not fit.
        """
        found = Evaluated([], [])
        while (cut := self._first_cut(until_ms)) is not None:
            place_ms = cut.effective_at_ms + 1
            rows = trades.before(place_ms)
            following = int(trades.agg_id[rows]) if rows < len(trades) else None
            inside = due_holes(holes, following, place_ms)
            self._run(trades.rows(0, rows), holes[:inside], place_ms, found)
            trades, holes = trades.rows(rows, len(trades)), holes[inside:]
            self._take_up_to(cut)
        self._run(trades, holes, until_ms, found)
        return found

    def _first_cut(self, until_ms: int) -> PlacedEvent | None:
        """The first event at which the kernel itself changes: bars that warm it, or a configuration that refines its grid."""
        for item in self._waiting:
            if item.effective_at_ms + 1 >= until_ms:
                return None
            if isinstance(item.event, TradesBootstrapped | StrategyActivated):
                return item
        return None

    def _take_up_to(self, cut: PlacedEvent) -> None:
        while (item := self._waiting.popleft()) is not cut:
            self._apply(item.event)
        self._apply(cut.event)

    def _run(self, trades: TradeRows, holes: Sequence[PlacedHole], until_ms: int, found: Evaluated) -> None:
        kernel = self.engine.kernel
        if len(trades) or holes:
            batch = kernel.batch()
            batch.add_trades(trades, holes)
            self._process(batch, found)
        if self.symbol in kernel.symbols.index:  # by itself, so that nobody copies the trades to put it behind them
            batch = kernel.batch()
            index = np.array([kernel.symbols.index[self.symbol]], np.int32)
            batch.add_watermarks(index, np.array([until_ms - 1], np.int64))
            self._process(batch, found)

    def _process(self, batch: LogBatch, found: Evaluated) -> None:
        kernel = self.engine.kernel
        table = kernel.process(batch)
        if kernel.overflows:
            raise OverflowRisk(self.symbol, "a sum or a price would leave 64 bits")
        for begin, end, scale in _by_scale(table, batch):
            self._judge(table[begin:end], scale, found)

    def _judge(self, table: NDArray[Any], scale: Scale, found: Evaluated) -> None:
        """Evaluations of one scale."""
        known = self._known(table["evaluation_time_ms"].tolist())
        columns = columns_of(columns_of_table(table, scale, self.engine.kernel.settings), known)
        found.columns.append(columns)
        book = self.engine.book
        chosen = np.arange(len(table)) if self.every else np.flatnonzero(book.may_signal(self.symbol, columns))
        situations = []
        for place, row in zip(chosen.tolist(), read_table(table[chosen]), strict=True):
            features = feature_row(row, scale, self.engine.kernel.settings)
            situations.append(Situation(features, *(known[place] if known else ({}, {}))))
        ask_together(situations, book.factors())
        for situation in situations:
            scores, signals = book.evaluate(situation)
            found.evaluations.append(Evaluation(situation, scores, signals, "", []))

    def _known(self, times_ms: list[int]) -> list[Known] | None:
        """What stood in the log beside trades by each evaluation; None while nothing ever did."""
        inputs = self.engine.symbol_inputs(self.symbol)
        if not self._waiting and inputs.is_empty:
            return None
        found: list[Known] = []
        for time_ms in times_ms:
            while self._waiting and self._waiting[0].effective_at_ms < time_ms - 1:
                self._apply(self._waiting.popleft().event)
            found.append((leave_out_implausible(inputs.at(time_ms))[0], inputs.feeds_at(time_ms)))
        return found

    def _apply(self, event: Event) -> None:
        try:
            self.engine.apply(event)
        except BadMessage as problem:
            self.refused.append(problem)


def _by_scale(table: NDArray[Any], batch: LogBatch) -> list[tuple[int, int, Scale]]:
    """The evaluations [begin, end) of each scale; within a batch a scale only becomes finer."""
    if not len(table):
        return []
    scales = [Scale(*batch.scale_at(int(table["symbol"][row]), int(table["place"][row]))) for row in (0, -1)]
    if scales[0] == scales[1]:
        return [(0, len(table), scales[0])]
    return [
        (row, row + 1, Scale(*batch.scale_at(symbol, place)))
        for row, (symbol, place) in enumerate(zip(table["symbol"].tolist(), table["place"].tolist(), strict=True))
    ]
