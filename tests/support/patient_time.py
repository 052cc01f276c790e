"""An event loop that does not count the time in which nobody runs it: a machine that stands still for a second is no fault of the
venue, although a fast clock would make twenty or a hundred seconds of it.

The price: what blocks the loop for long is not seen here, as it counts 20 ms. That is for tests at real pace.

While such a loop runs, the machine's clocks are the loop's, because venue clocks and the simulator read `time` as it does.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.support.machine_clocks import machine_clocks

# What the callbacks of one round, or a late return of the selector, count at most.
ROUND_SECONDS = 0.02
T = TypeVar("T")


class PatientClock:
    """Seconds since the clock was made. `count` adds what has passed since it was last called, up to a limit."""

    def __init__(self) -> None:
        self._real, self._wall_ns = time.monotonic, time.time_ns()
        self._counted = 0.0
        self._since = self._real()

    def count(self, at_most: float) -> None:
        now = self._real()
        self._counted += min(now - self._since, at_most)
        self._since = now

    def resume(self) -> None:
        """What has passed since the last count does not count."""
        self._since = self._real()

    def seconds(self) -> float:
        return self._counted + min(self._real() - self._since, ROUND_SECONDS)

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self._wall_ns + int(self.seconds() * 1e9)


class _PatientSelector(selectors.DefaultSelector):
    def __init__(self, clock: PatientClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.count(ROUND_SECONDS)
        ready = super().select(timeout)
        # Without a timer nobody measures how long it was.
        self._clock.count(max(timeout or 0.0, 0.0) + ROUND_SECONDS)
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """Its time stands still while the process does."""

    def __init__(self) -> None:
        self.clock = PatientClock()
        super().__init__(_PatientSelector(self.clock))

    def time(self) -> float:
        return self.clock.seconds()

    def run_forever(self) -> None:
        self.clock.resume()
        clock = self.clock
        with machine_clocks(
            {
                "monotonic": clock.seconds,
                "monotonic_ns": lambda: int(clock.seconds() * 1e9),
                "time": lambda: clock.wall_ns() / 1e9,
                "time_ns": clock.wall_ns,
            }
        ):
            super().run_forever()
            self.clock.count(ROUND_SECONDS)


def run_patiently(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on such a loop."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)
