"""An in-memory log with the surface of producer and tail, so that services' wiring can be tested without a broker.

It keeps Kafka's promises that our code leans on (order within a partition, offsets without gaps, bytes as given) and none of
its failures: whatever concerns delivery is tested on a real broker.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from libs.contracts.codec import HEADER_OBSERVED_AT, Encoded, encode
from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.kit.clock import Clock, SystemClock
from libs.streaming.records import Record
from libs.streaming.tail import FROM_BEGINNING


class MemoryBus:
    """The log itself: records by (topic, partition). `clock` gives the append time (ms)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self._grown = asyncio.Condition()

    def records(self, topic: str) -> list[Record]:
        """Everything on a topic, partition by partition."""
        return [record for place in sorted(self.logs) if place[0] == topic for record in self.logs[place]]

    async def append(self, topic: str, partition: int, key: bytes | None, encoded: Encoded) -> int:
        """Append one record; returns its offset."""
        log = self.logs[topic, partition]
        headers = dict(encoded.headers)
        log.append(Record(topic, partition, len(log), key, encoded.value, headers, self.clock.now_ms()))
        async with self._grown:
            self._grown.notify_all()
        return len(log) - 1

    async def wait_for_growth(self, max_wait_ms: int) -> None:
        """Return after the next append, or after `max_wait_ms`."""
        async with self._grown:
            try:
                await asyncio.wait_for(self._grown.wait(), max_wait_ms / 1000)
            except TimeoutError:
                return


class MemoryProducer:
    """`EventProducer`'s surface over a `MemoryBus`; every record is acknowledged at once."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self, deadline: float = 5.0) -> None:
        """Nothing is buffered."""

    async def send(
        self, topic: Topic, event: Event, *, key: str, partition: int, headers: Sequence[tuple[str, bytes]] = ()
    ) -> asyncio.Future[int]:
        """Encode and append; the future has the offset already."""
        observed = None if any(name == HEADER_OBSERVED_AT for name, _ in headers) else self._bus.clock.now_ms()
        value, own = encode(event, observed_at_ms=observed)
        return await self.send_encoded(
            topic.name, Encoded(value, [*own, *headers]), key=key.encode(), partition=partition
        )

    async def send_encoded(
        self, topic_name: str, encoded: Encoded, *, key: bytes | None, partition: int
    ) -> asyncio.Future[int]:
        """Append as it is; the future has the offset already."""
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(await self._bus.append(topic_name, partition, key, encoded))
        return acknowledged

    async def flush(self) -> None:
        """Everything is acknowledged."""


class MemoryTail:
    """`TailConsumer`'s surface over a `MemoryBus`."""

    def __init__(self, bus: MemoryBus, topics: Sequence[str], *, back: int = 0) -> None:
        self._bus = bus
        self._topics = frozenset(topics)
        self._back = back
        self._positions: dict[tuple[str, int], int] = {}

    async def start(self) -> None:
        """Stand at the starting places."""
        for place, log in self._bus.logs.items():
            self._positions[place] = 0 if self._back == FROM_BEGINNING else max(0, len(log) - self._back)

    async def stop(self) -> None:
        """Nothing to disconnect from."""

    async def poll(self, max_wait_ms: int = 1000, max_records: int | None = None) -> list[Record]:
        """What has arrived, at most `max_records`; an empty list after `max_wait_ms` without any."""
        if not (batch := self._take(max_records)):
            await self._bus.wait_for_growth(max_wait_ms)
            batch = self._take(max_records)
        return batch

    async def batches(self, stopping: asyncio.Event | None = None) -> AsyncIterator[list[Record]]:
        """Non-empty batches, for ever or until `stopping` is set."""
        while stopping is None or not stopping.is_set():
            if batch := await self.poll():
                yield batch

    def _take(self, max_records: int | None) -> list[Record]:
        batch: list[Record] = []
        for place in sorted(self._bus.logs):
            if place[0] in self._topics:
                start = self._positions.get(place, 0)
                room = None if max_records is None else start + max_records - len(batch)
                taken = self._bus.logs[place][start:room]
                self._positions[place] = start + len(taken)
                batch += taken
        return batch
