"""Following topics without a group and without offsets: for screens, the gateway, start-up questions and tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from libs.streaming.follower import Follower
from libs.streaming.records import LogReader, Record

FROM_BEGINNING = -1
_POLL_MS = 1000


class TailConsumer:
    """Reads every partition of `topics`, starting `back` records before each partition's end (0: only what is new).

    `back=FROM_BEGINNING` starts at the oldest record. Survives the broker's restart by waiting for it. Order holds within
    a partition. `async with TailConsumer(...) as tail: async for record in tail: ...`
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], *, back: int = 0) -> None:
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._back = back
        self._follower: Follower | None = None

    async def start(self) -> None:
        """Connect and stand at the starting places; records appended after this returns are all seen.

        Raises `UnreachableError` when no broker answers, `UserError` when a topic does not exist.
        """
        follower = Follower(self._bootstrap, await self._starting_places())
        await follower.start()
        self._follower = follower

    async def stop(self) -> None:
        """Disconnect; a second call does nothing."""
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.stop()

    @property
    def answered_ms(self) -> int:
        """See `Follower.answered_ms`."""
        return 0 if self._follower is None else self._follower.answered_ms

    async def poll(self, max_wait_ms: int = _POLL_MS, max_records: int | None = None) -> list[Record]:
        """What has arrived, at most `max_records`; an empty list after `max_wait_ms` without any."""
        if self._follower is None:
            raise RuntimeError("the tail was not started")
        return await self._follower.fetch(max_wait_ms, max_records)

    async def batches(self, stopping: asyncio.Event | None = None) -> AsyncIterator[list[Record]]:
        """Non-empty batches, for ever or until `stopping` is set (noticed within a second)."""
        while stopping is None or not stopping.is_set():
            if batch := await self.poll():
                yield batch

    async def __aiter__(self) -> AsyncIterator[Record]:
        async for batch in self.batches():
            for record in batch:
                yield record

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def _starting_places(self) -> dict[tuple[str, int], int]:
        places: dict[tuple[str, int], int] = {}
        async with LogReader(self._bootstrap) as log:
            for topic in self._topics:
                for partition in await log.partitions(topic):
                    beginning = await log.beginning(topic, partition)
                    end = await log.end(topic, partition)
                    start = beginning if self._back == FROM_BEGINNING else max(beginning, end - self._back)
                    places[(topic, partition)] = start
        return places


async def read_tail(bootstrap: str, topic: str, partition: int, count: int) -> list[Record]:
    """The last `count` records of a partition, oldest first (fewer when it holds fewer)."""
    async with LogReader(bootstrap) as log:
        end = await log.end(topic, partition)
        return [record async for batch in log.range(topic, partition, end - count, end) for record in batch]
