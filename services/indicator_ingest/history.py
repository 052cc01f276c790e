"""How far each series is complete on the topic, and what is missing between that and the live values. Pure.

A series is filled from its old end towards the live values: it is complete up to `done`, and behind that it has spans of live
values with holes before them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from libs.contracts.market import UNKNOWN_TIME, IndicatorHistoryCompleted
from libs.exchanges import MOST_HISTORY_PERIODS, HistorySpan
from libs.kit.durations import DAY_MS
from services.indicator_ingest.facts import Series
from services.indicator_ingest.schedules import PERIOD, PERIOD_SECONDS

MOST_DAYS = 30
# The venue refuses a start beyond its 30 days: what we ask must still be young enough when it arrives there.
MARGIN_MS = 900_000
MARK_EACH_MS = 3_600_000
_STEP_MS = {PERIOD: int(PERIOD_SECONDS * 1000), None: 1}


@dataclass(slots=True)
class _Progress:
    """One series; `step` from one instant to the next, `live` the spans beyond the first hole in order (both ends included),
    `marked` the last `done` that was told. All ms."""

    step: int
    done: int = UNKNOWN_TIME
    marked: int = UNKNOWN_TIME
    live: list[list[int]] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The newest live instant."""
        return self.live[-1][1] if self.live else self.done

    def extend(self, first: int, last: int) -> None:
        """Everything from `first` to `last` is on the topic, and both are at the end of what is."""
        if self.end == UNKNOWN_TIME or first > self.end + self.step:
            self.live.append([first, last])
        elif self.live:
            self.live[-1][1] = max(last, self.end)
        else:
            self.done = max(last, self.done)

    def reach(self, until: int) -> None:
        """What is complete reaches so far, and through every span that it touches."""
        self.done = max(self.done, until)
        while self.live and self.done >= self.live[0][0] - self.step:
            self.done = max(self.done, self.live.pop(0)[1])


class History:
    """All series, going on from the marks on the topic; `days` back at most, 0 asks for nothing."""

    def __init__(self, marks: Iterable[IndicatorHistoryCompleted] = (), days: float = MOST_DAYS) -> None:
        self._reach_ms = int(min(days, MOST_DAYS) * DAY_MS)
        self._series: dict[Series, _Progress] = {}
        for mark in marks:
            known = self._of((mark.symbol, mark.kind, mark.period))
            known.done = known.marked = mark.complete_until_ms
            known.live = [] if mark.live_to_ms == UNKNOWN_TIME else [[mark.live_from_ms, mark.live_to_ms]]

    def on_the_topic(self, series: Series, newest_ms: int) -> None:
        """The newest live value of a series on the topic at our start. Marks are not told for every value; and one that is beyond
        it is not believed, since values were lost behind it."""
        known = self._of(series)
        if known.live:
            known.live[-1] = [min(known.live[-1][0], newest_ms), newest_ms]
        elif known.done == UNKNOWN_TIME:
            known.live = [[newest_ms, newest_ms]]
        else:
            known.done = newest_ms

    def answered(self, series: Series, times: Sequence[int]) -> bool:
        """The venue told these instants, everything it has between the first and the last, and what was new was published.

        Returns whether to tell how far the series is complete: always while there is a hole, else each hour. Whoever starts
        again in between finds the rest on the topic.
        """
        known = self._of(series)
        known.extend(min(times), max(times))
        due = bool(self._reach_ms) and (bool(known.live) or known.done // MARK_EACH_MS > known.marked // MARK_EACH_MS)
        known.marked = known.done if due else known.marked
        return due

    def missing(self, series: Series, now_ms: int) -> HistorySpan | None:
        """The next span to ask for, the oldest first; None when nothing (more) is missing, or nothing live is known yet."""
        known = self._of(series)
        while self._reach_ms and known.live:
            start = max(known.done, now_ms - self._reach_ms + MARGIN_MS)
            end = known.live[0][0] - known.step
            if start < end:
                # Settled funding has no period, and is few.
                widest = end if series[2] is None else start + MOST_HISTORY_PERIODS * known.step
                return HistorySpan(start, min(end, widest))
            known.reach(end)
        return None

    def filled(self, series: Series, until_ms: int) -> None:
        """Everything that the venue has up to `until_ms` is on the topic."""
        known = self._of(series)
        known.reach(until_ms)
        known.marked = known.done

    def mark(self, series: Series) -> tuple[int, int, int]:
        """`complete_until_ms`, `live_from_ms` and `live_to_ms` of the series' mark: of several spans the last."""
        known = self._of(series)
        live_from, live_to = known.live[-1] if known.live else (UNKNOWN_TIME, UNKNOWN_TIME)
        return known.done, live_from, live_to

    def live_ends(self) -> dict[Series, int]:
        """The newest live instant of each series that has one."""
        return {series: known.end for series, known in self._series.items() if known.end != UNKNOWN_TIME}

    def remaining_ms(self, series: Series, now_ms: int) -> int:
        """The width from the oldest that is still to be asked for to the newest such."""
        span = self.missing(series, now_ms)
        return 0 if span is None else self._of(series).live[-1][0] - span.start_ms

    def _of(self, series: Series) -> _Progress:
        known = self._series.get(series)
        if known is None:
            known = self._series[series] = _Progress(_STEP_MS[series[2]])
        return known
