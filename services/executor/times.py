"""The clocks of a running process, in the words of the executor's port."""

import time
from dataclasses import dataclass

from libs.kit.clock import SystemClock, VenueClock


@dataclass(frozen=True, slots=True)
class AccountTime:
    """The venue's time as its clock has it, beside the machine's."""

    clock: VenueClock

    @property
    def speed(self) -> float:
        return self.clock.speed

    @property
    def is_known(self) -> bool:
        return not self.clock.doubted.is_set()

    def now_ms(self) -> int:
        return self.clock.now_ms()

    def wall_ms(self) -> int:
        return SystemClock().now_ms()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """On paper there is no venue: its time is the machine's."""

    speed: float = 1.0
    is_known: bool = True

    def now_ms(self) -> int:
        return SystemClock().now_ms()

    def wall_ms(self) -> int:
        return SystemClock().now_ms()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await SystemClock().sleep(seconds)
