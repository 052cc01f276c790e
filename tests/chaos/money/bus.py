"""Topics in memory: every record stays at its place, everybody reads at his own, and now and then nobody reaches the broker."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from libs.contracts.event import Event

_SOON = 0.02


@dataclass
class Bus:
    """`is_away`: the broker takes and gives nothing; what is told meanwhile waits with whoever told it."""

    is_away: bool = False
    _logs: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, topic: str, event: Event) -> None:
        """A record at the end of a topic."""
        self._logs[topic].append(event)
        self._more.set()
        self._more = asyncio.Event()

    def log(self, topic: str) -> list[Event]:
        """All of it."""
        return self._logs[topic]

    async def after(self, topic: str, offset: int) -> list[Event]:
        """The records from `offset` on, at least one; they have been under way for a moment."""
        while self.is_away or len(self._logs[topic]) <= offset:
            more = self._more
            await more.wait()
        await asyncio.sleep(_SOON)
        return self._logs[topic][offset:]

    async def reachable(self) -> None:
        """Wait while the broker is away."""
        while self.is_away:
            more = self._more
            await more.wait()

    def come_back(self) -> None:
        """Everybody reads again."""
        self.is_away = False
        self._more.set()
        self._more = asyncio.Event()
