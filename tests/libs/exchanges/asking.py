"""A process that takes turns in a shared budget and notes when: `python -m tests.libs.exchanges.asking FILE PRIORITY WEIGHT N`.

It prints a line for each question: when it wanted its turn, and when it got it (ms of the machine's clock).
"""

import asyncio
import sys
from pathlib import Path

from libs.exchanges.budget import Pool, Priority
from libs.exchanges.limiter import Limiter, Turn
from libs.exchanges.shared_file import SharedFile
from libs.kit.clock import MachineClock

POOL = Pool("test", limit=200, window_ms=1_000, share=0.8, parts=(1.0, 0.9, 0.75, 0.5))


class NotingClock(MachineClock):
    """Remembers the moments it has told: the last one is when a turn was given, under the file's lock."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def now_ms(self) -> int:
        self.told.append(super().now_ms())
        return self.told[-1]


async def ask(file: Path, priority: Priority, weight: int, questions: int) -> None:
    """Take so many turns, one after the other; 0: for ever."""
    clock = NotingClock()
    limiter = Limiter("test", clock, file=SharedFile(file))
    taken = 0
    while not questions or taken < questions:
        clock.told.clear()
        await limiter.take(POOL, weight, Turn(priority))
        taken += 1
        sys.stdout.write(f"{clock.told[1]} {clock.told[-1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(ask(Path(sys.argv[1]), Priority[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])))
