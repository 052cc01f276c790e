"""How the asking for one symbol stands: since when in vain, why, and when it is its turn again."""

import asyncio
from dataclasses import dataclass, field

from libs.exchanges.backoff import Backoff
from services.trade_ingest.assembler import SymbolFeed

Line = asyncio.Queue[SymbolFeed]
NOT_ASKED = "not_asked"
# How far REST may lag behind the stream.
REST_LAG_SECONDS = 0.25
LONGEST_SECONDS = 5.0
# Repeating what was refused is useless, and every question costs the others a turn.
FIRST_REFUSED_SECONDS = 2.0
LONGEST_REFUSED_SECONDS = 300.0


@dataclass(slots=True)
class Attempt:
    """`waited`: real seconds without progress while something could be done; `expected`: how far the symbol had come then.
    `line`: where it waits for a worker; `timer`: until it does so again. `problem`: why the last question brought nothing."""

    expected: int
    waited: float = 0.0
    problem: str = NOT_ASKED
    in_hand: bool = False
    line: Line | None = None
    timer: asyncio.TimerHandle | None = None
    _vain: Backoff = field(default_factory=lambda: Backoff(REST_LAG_SECONDS, LONGEST_SECONDS))
    _refused: Backoff = field(default_factory=lambda: Backoff(FIRST_REFUSED_SECONDS, LONGEST_REFUSED_SECONDS))

    def progressed(self, expected: int) -> bool:
        """Whether the symbol has come further, by REST or by its stream: then all starts anew."""
        if expected <= self.expected:
            return False
        self.expected, self.waited, self.problem = expected, 0.0, NOT_ASKED
        self._vain.reset()
        self._refused.reset()
        return True

    def failed(self, problem: str, *, refused: bool = False) -> float:
        """A question brought nothing; the seconds until the next one."""
        self.problem = problem
        if refused:
            return self._refused.next_seconds()
        self._refused.reset()
        return self._vain.next_seconds()

    def stop(self) -> None:
        """It waits in no line and for no time any more."""
        self.line = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
