"""An event loop whose time jumps to the next timer: nobody waits, no socket is asked, and the same seed runs the same way.

While a run lasts the machine's clocks are this clock, because loops, venue clocks and limiters all read `time.monotonic`.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from tests.support.machine_clocks import machine_clocks

START_SECONDS = 1_000.0
T = TypeVar("T")


class Stalled(Exception):
    """Everybody waits for somebody, and no timer will ever end that."""


class VirtualClock:
    """`seconds` of the monotonic scale; the wall clock and the venue say `start_ms` where that began."""

    def __init__(self, start_ms: int) -> None:
        self.seconds = START_SECONDS
        self._start_ms = start_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._start_ms + int((self.seconds - START_SECONDS) * 1000 + 1e-6)

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop, whose time this is."""
        await asyncio.sleep(seconds)

    def timer_ms(self) -> float:
        """A scale that only grows, ms."""
        return self.seconds * 1000

    @property
    def timer_speed(self) -> float:
        """The venue's timers run like everybody's."""
        return 1.0


class _NoSockets(selectors.BaseSelector):
    """Waiting is moving the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys.setdefault(number, selectors.SelectorKey(fileobj, number, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stalled("everybody waits, and no timer runs")
        self._clock.seconds += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """What is given to a thread is done at once: threads would run on the machine's time."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(_NoSockets(clock))
        self._clock = clock

    def time(self) -> float:
        return self._clock.seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _clocks(clock: VirtualClock) -> dict[str, Callable[..., object]]:
    return {
        "monotonic": lambda: clock.seconds,
        "monotonic_ns": lambda: int(clock.seconds * 1e9),
        "perf_counter": lambda: clock.seconds,
        "time": lambda: clock.now_ms() / 1000,
        "time_ns": lambda: clock.now_ms() * 1_000_000,
        "clock_gettime": lambda _which: clock.seconds,
    }


def run_virtually(clock: VirtualClock, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end of `main`; whatever still runs then is cancelled. Raises `Stalled`."""
    loop = VirtualLoop(clock)
    with machine_clocks(_clocks(clock)):
        try:
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(main())
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()
