"""Time as a parameter: processes read a `Clock`, cores read event time only.

Timers that belong to the venue (silence, staleness, rotation) run on a `VenueClock`, which knows the venue's offset and a
speed factor, so that an accelerated recording behaves like the day it was. Timers of processes stay on `SystemClock`.
"""

import asyncio
import time
from pathlib import Path
from typing import Protocol

BELIEVABLE_AHEAD_MS = 60_000
END_OF_TIME_MS = 2**62
# Only Linux has the first; elsewhere the monotonic clock goes on while the machine sleeps, too.
_SINCE_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Milliseconds since the epoch (UTC), and a way to wait on the same scale."""

    def now_ms(self) -> int:
        """The current time, milliseconds since 1970-01-01 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's wall clock and its real seconds."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def wall_us() -> int:
    """The machine's wall clock, microseconds since 1970-01-01 UTC: for stamps of what is measured, never for decisions."""
    return time.time_ns() // 1000


class MachineClock:
    """Time since the machine was started, `speed` times as fast: the same in all its processes and containers, untouched by
    whoever sets the wall clock, going on while the machine sleeps. For what processes time together; void after a reboot.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now_ms(self) -> int:
        return int(time.clock_gettime(_SINCE_BOOT) * 1000 * self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


def boot_id() -> str:
    """Names the machine's present run, where the system does (Linux); else an empty text."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class VenueClock:
    """The venue's time: an anchor (venue ms at a monotonic instant) that advances `speed` times as fast as real time.

    `synchronise(venue_ms)` moves the anchor; callers pass the venue's answer corrected by half the round trip. The speed
    is a setting (1.0 on a live venue). Not `paced`: the venue tells a recording as fast as it is read, so that no clock can
    follow it; then the venue is believed, and timers are real ones.

    `doubted` is set when the venue stated a time that this clock does not believe; whoever keeps the clock looks again.
    """

    def __init__(self, venue_ms: int, speed: float = 1.0, *, paced: bool = True) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self.speed = speed
        self.paced = paced
        self.doubted = asyncio.Event()
        self._venue_ms = venue_ms
        self._at = time.monotonic()

    def synchronise(self, venue_ms: int) -> int:
        """Move the anchor to `venue_ms` now; returns the correction in milliseconds."""
        correction = venue_ms - self.now_ms()
        self._venue_ms, self._at = venue_ms, time.monotonic()
        return correction

    def now_ms(self) -> int:
        return self._venue_ms + int((time.monotonic() - self._at) * 1000 * self.speed)

    def latest_believable_ms(self) -> int:
        """The latest time (ms) at which something can already have happened at the venue, with a minute's allowance for our
        own error: one absurd stamp would otherwise move everything that counts time to where it says."""
        return self.now_ms() + BELIEVABLE_AHEAD_MS if self.paced else END_OF_TIME_MS

    def believes(self, venue_ms: int) -> bool:
        """Whether the venue can have seen `venue_ms` already; a time that it cannot have puts this clock in doubt."""
        if venue_ms <= self.latest_believable_ms():
            return True
        self.doubted.set()
        return False

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


class ManualClock:
    """A clock that moves only when told; for replay and tests. `sleep` advances it at once."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, milliseconds: int) -> None:
        """Move forward; time never runs backwards."""
        if milliseconds < 0:
            raise ValueError("a clock does not run backwards")
        self._now_ms += milliseconds

    async def sleep(self, seconds: float) -> None:
        self.advance(int(seconds * 1000))
        await asyncio.sleep(0)
