"""How complete a symbol's published trades are over the last hour and day, from a few marks of ids; pure."""

from collections.abc import Iterable

from libs.contracts.market import IdMark
from libs.kit.durations import DAY_MS, HOUR_MS

FINE_MS = HOUR_MS // 12
MILLION = 1_000_000


class Completeness:
    """Aggregate ids of a symbol have no gaps at the venue, so the ids between two marks say how many trades there were.

    Marks are kept every five minutes for an hour and every hour for a day: a span is measured from the newest mark that is at
    least so old (up to five minutes, or an hour, longer than asked), or from the first mark of all.
    """

    def __init__(self, marks: Iterable[IdMark] = ()) -> None:
        self._marks = list(marks)
        if self._marks:
            self._thin(self._marks[-1].time_ms)

    def marks(self, now: IdMark) -> tuple[IdMark, ...]:
        """What a successor goes on from, oldest first; how far the symbol is now is the last, also when the clock stands."""
        if not self._marks:
            return ()
        last = self._marks[-1]
        now = IdMark(max(now.time_ms, last.time_ms), now.next_id, now.missing)
        return tuple(self._marks) if now == last else (*self._marks, now)

    def mark(self, now: IdMark) -> None:
        """How far the symbol is now; kept when the last mark is old enough. A clock that was put back a little is waited for, one
        that was put back by more starts anew."""
        if now.time_ms <= 0 or (self._marks and 0 < self._marks[-1].time_ms - now.time_ms < FINE_MS):
            return
        if self._marks and now.time_ms < self._marks[-1].time_ms:
            self._marks = []
        if not self._marks or now.time_ms - self._marks[-1].time_ms >= FINE_MS:
            self._marks.append(now)
            self._thin(now.time_ms)

    def ppm(self, span_ms: int, now: IdMark) -> int | None:
        """Parts per million of the ids of the last `span_ms` that were published, rounded down; None without any id."""
        old_enough = [mark for mark in self._marks if now.time_ms - mark.time_ms >= span_ms]
        since = old_enough[-1] if old_enough else self._marks[0] if self._marks else now
        ids = now.next_id - since.next_id
        return None if ids <= 0 else (ids - (now.missing - since.missing)) * MILLION // ids

    def _thin(self, now_ms: int) -> None:
        kept: list[IdMark] = []
        for mark in self._marks:
            age = now_ms - mark.time_ms
            if age <= HOUR_MS + FINE_MS or not kept or mark.time_ms - kept[-1].time_ms >= HOUR_MS:
                kept.append(mark)
        while len(kept) > 1 and now_ms - kept[1].time_ms >= DAY_MS:
            kept.pop(0)
        self._marks = kept
