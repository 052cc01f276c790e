"""The simulated venue's time: wall time scaled from an anchor, or the position of an unpaced recording.

Two scales: `now_ms` is what /fapi/v1/time says; `timer_ms` only grows at the speed factor and times what a venue times by
itself (pings, connection life, rate windows), so that an accelerated day behaves like a day.
"""

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Anchor:
    """Venue time `venue_ms` was at wall time `wall_ms`; both in ms since the epoch."""

    venue_ms: int
    wall_ms: int


class VenueTime(Protocol):
    """What the protocol layer asks of time."""

    def now_ms(self) -> int:
        """Venue time, ms."""
        ...

    def timer_ms(self) -> float:
        """A monotonic scale for the venue's own timers, ms."""
        ...

    @property
    def timer_speed(self) -> float:
        """Venue timer seconds per real second."""
        ...


def wall_ms() -> int:
    """The machine's time, ms; anchors are kept in it, so that a restarted simulator is where the wall clock says."""
    return time.time_ns() // 1_000_000


class AnchoredTime:
    """Time that has run at `speed` since its anchor. Without an anchor it stands still at `waiting_ms` (None: wall time)."""

    def __init__(self, speed: float, anchor: Anchor | None, waiting_ms: int | None = None) -> None:
        self._speed = speed
        self.anchor = anchor
        self._waiting_ms = waiting_ms
        self._born = time.monotonic()

    @property
    def timer_speed(self) -> float:
        return self._speed

    def now_ms(self) -> int:
        if self.anchor is None:
            return wall_ms() if self._waiting_ms is None else self._waiting_ms
        return self.anchor.venue_ms + int((wall_ms() - self.anchor.wall_ms) * self._speed)

    def timer_ms(self) -> float:
        return (time.monotonic() - self._born) * 1000 * self._speed


class PositionTime:
    """Time of an unpaced recording: the pump moves it; after the end it goes on at real speed."""

    timer_speed = 1.0

    def __init__(self, position_ms: int) -> None:
        self._position_ms = position_ms
        self._moved_at = time.monotonic()
        self._running_on = False

    def now_ms(self) -> int:
        if self._running_on:
            return self._position_ms + int((time.monotonic() - self._moved_at) * 1000)
        return self._position_ms

    def timer_ms(self) -> float:
        return time.monotonic() * 1000

    def move(self, position_ms: int) -> None:
        """Everything up to `position_ms` has been told."""
        self._position_ms = max(self._position_ms, position_ms)
        self._moved_at = time.monotonic()

    def run_on(self) -> None:
        """The recording has ended: from now on time passes by itself."""
        self._running_on = True
        self._moved_at = time.monotonic()
