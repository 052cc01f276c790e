"""The two clocks of a look: the venue's time for facts, and one that never jumps for ages."""

import asyncio
from dataclasses import dataclass

from libs.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Moment:
    """`now_ms`: the venue's time (UTC). `at_ms`: ms that only grow, so that a corrected clock makes nothing old."""

    now_ms: int
    at_ms: int

    def at_of(self, time_ms: int) -> int:
        """When a time of the venue was, on the clock that only grows; never later than now."""
        return self.at_ms - max(0, self.now_ms - time_ms)


def moment(clock: Clock) -> Moment:
    """Now. The growing clock is the event loop's."""
    return Moment(clock.now_ms(), int(asyncio.get_running_loop().time() * 1000))
