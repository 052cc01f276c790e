"""The log as the core takes it: three topics of every partition, evaluations held back until their signals have been read."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, TIMELINE
from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.streaming.aged_out import aged_out
from libs.streaming.follower import Follower
from libs.streaming.records import LogReader, Record, log_generations
from services.paper_trader.core import LEFT_BEHIND_MS, PaperCore

TOPICS = (TIMELINE.name, SIGNAL_SCORED.name, SIGNAL_INDICATOR.name)
MOST_RECORDS = 5_000
AHEAD_MS = LEFT_BEHIND_MS + 5 * 60_000
"""A partition that is proven so far beyond the accounts is not read on while they wait for others: memory stays bounded."""


async def generation_of(bootstrap: str) -> str:
    """Which incarnation of the three topics this is."""
    found = await log_generations(bootstrap, list(TOPICS))
    return " ".join(found[topic] for topic in TOPICS)


@dataclass(slots=True)
class _Held:
    """Evaluations, and the offset up to which signals stood on their topic when they had been read."""

    records: list[Record]
    signals_end: int


@dataclass(slots=True)
class PaperLog:
    """Reads on from where the core stands. One at a time: `fetch`, then what the core makes of it."""

    bootstrap: str
    core: PaperCore
    _reader: LogReader = field(init=False)
    _follower: Follower = field(init=False)
    _held: dict[int, deque[_Held]] = field(default_factory=dict)

    async def start(self) -> None:
        """Connect. Raises `UnreachableError`, and `UserError` when the log ends before the place where the core stands."""
        self._reader = await LogReader(self.bootstrap).__aenter__()
        starts = {
            (topic, number): part.next_offsets[place]
            for number, part in self.core.partitions.items()
            for place, topic in enumerate(TOPICS)
        }
        for (topic, number), offset in starts.items():
            await self._check(topic, number, offset)
        for number, part in self.core.partitions.items():
            if part.next_offsets[0] < await self._reader.beginning(TIMELINE.name, number):
                for word in await aged_out(self._reader, number, part.cursor):
                    part.take_strategy(word, self.core.noticed)
        self._follower = Follower(self.bootstrap, starts)
        await self._follower.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._follower.stop()
        await self._reader.__aexit__(None, None, None)

    async def fetch(self, max_wait_ms: int) -> bool:
        """Give the core what has come; whether anything has."""
        ahead = self.core.ahead(AHEAD_MS)
        self._follower.hold({(TIMELINE.name, number) for number in ahead})
        found: dict[tuple[str, int], list[Record]] = {}
        for record in await self._follower.fetch(max_wait_ms, MOST_RECORDS):
            found.setdefault((record.topic, record.partition), []).append(record)
        for (topic, number), records in found.items():
            if topic == TIMELINE.name:
                self.core.take_timeline(number, records)
            elif topic == SIGNAL_SCORED.name:
                self.core.take_signals(number, records)
            else:
                held = _Held(records, await self._signals_end(number))
                self._held.setdefault(number, deque()).append(held)
        for number in self._held:
            self._release(number)
        return bool(found)

    async def settle_doubts(self) -> None:
        """Tell the core of partitions that it may stop waiting for: those that have been read to their ends."""
        for number in self.core.in_doubt:
            if self.core.partitions[number].next_offsets[0] >= await self._reader.end(TIMELINE.name, number):
                self.core.reached_end(number)

    async def behind(self) -> int:
        """How many records of the timeline have not been read yet."""
        parts: Mapping[int, Sequence[int]] = {n: part.next_offsets for n, part in self.core.partitions.items()}
        return sum([max(0, await self._reader.end(TIMELINE.name, n) - offsets[0]) for n, offsets in parts.items()])

    async def _signals_end(self, number: int) -> int:
        """Where the signals end now; 0 when none is kept, because nothing can be waited for then."""
        end = await self._reader.end(SIGNAL_SCORED.name, number)
        return end if await self._reader.beginning(SIGNAL_SCORED.name, number) < end else 0

    def _release(self, number: int) -> None:
        """Hand over the evaluations whose signals have all been taken, and with them all that were read before."""
        held, taken = self._held[number], self.core.partitions[number].next_offsets[1]
        ready = max((place for place, each in enumerate(held) if each.signals_end <= taken), default=-1)
        for _ in range(ready + 1):
            self.core.take_evaluations(number, held.popleft().records)

    async def _check(self, topic: str, number: int, offset: int) -> None:
        end, beginning = await self._reader.end(topic, number), await self._reader.beginning(topic, number)
        if offset > end:
            raise UserError(
                f"{topic}:{number} ends at {end}, but the paper accounts have read up to {offset}",
                where=self.bootstrap,
                todo="the broker has lost records: restore its data, or recreate the topics",
            )
        if 0 < offset < beginning:
            get_logger("paper_trader").error(
                "retention has deleted unread records", topic=topic, partition=number, stood=offset, beginning=beginning
            )
