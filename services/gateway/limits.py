"""How often one caller may ask: token buckets in memory, one a caller, forgotten when they are full again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST_CALLERS = 20_000


class TooMany(Exception):
    """429: nothing more from this caller for so many seconds."""

    def __init__(self, seconds: float, what: str = "too many requests: ask again later") -> None:
        super().__init__(what)
        self.seconds = seconds


@dataclass(slots=True)
class Limit:
    """`per_second` requests for each caller, and `at_once` in a burst. `now`: seconds that never go back."""

    per_second: float
    at_once: float
    now: Callable[[], float] = time.monotonic
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def wait(self, caller: str) -> float:
        """0 when the caller may ask now, which is counted; else after how many seconds."""
        now = self.now()
        left, since = self._buckets.pop(caller, (self.at_once, now))
        left = min(self.at_once, left + (now - since) * self.per_second)
        allowed = left >= 1
        self._make_room(now)
        self._buckets[caller] = (left - 1 if allowed else left, now)
        return 0.0 if allowed else (1 - left) / self.per_second

    def _make_room(self, now: float) -> None:
        """The one that was heard longest ago stands first; a full bucket is as good as none."""
        while self._buckets:
            caller, (left, since) = next(iter(self._buckets.items()))
            full = left + (now - since) * self.per_second >= self.at_once
            if not full and len(self._buckets) < _MOST_CALLERS:
                return
            del self._buckets[caller]
