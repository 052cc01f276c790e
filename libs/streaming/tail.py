"""Following topics without a group and without offsets: for screens, the gateway, start-up questions and tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from libs.kit.metrics import counter
from libs.streaming.connection import unreachable
from libs.streaming.records import LogReader, Record, record_of

FROM_BEGINNING = -1
_POLL_MS = 1000
_FETCH_WAIT_MS = 100


class TailConsumer:
    """Reads every partition of `topics`, starting `back` records before each partition's end (0: only what is new).

    `back=FROM_BEGINNING` starts at the oldest record. Survives the broker's restart by waiting for it. Order holds within
    a partition. `async with TailConsumer(...) as tail: async for record in tail: ...`
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], *, back: int = 0) -> None:
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._back = back
        self._consumer: AIOKafkaConsumer | None = None
        self._consumed = counter("perpstream_records_consumed_total")

    async def start(self) -> None:
        """Connect and stand at the starting places; records appended after this returns are all seen.

        Raises `UnreachableError` when no broker answers, `UserError` when a topic does not exist.
        """
        places = await self._starting_places()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise unreachable(self._bootstrap, error) from None
        consumer.assign(list(places))
        for place, offset in places.items():
            consumer.seek(place, offset)
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect; a second call does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def poll(self, max_wait_ms: int = _POLL_MS, max_records: int | None = None) -> list[Record]:
        """What has arrived, at most `max_records`; an empty list after `max_wait_ms` without any."""
        if self._consumer is None:
            raise RuntimeError("the tail was not started")
        messages = await self._consumer.getmany(timeout_ms=max_wait_ms, max_records=max_records)
        batch = [record_of(message) for part in messages.values() for message in part]
        for place, part in messages.items():
            self._consumed.labels(place.topic).inc(len(part))
        return batch

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

    async def _starting_places(self) -> dict[TopicPartition, int]:
        places: dict[TopicPartition, int] = {}
        async with LogReader(self._bootstrap) as log:
            for topic in self._topics:
                for partition in await log.partitions(topic):
                    beginning = await log.beginning(topic, partition)
                    end = await log.end(topic, partition)
                    start = beginning if self._back == FROM_BEGINNING else max(beginning, end - self._back)
                    places[TopicPartition(topic, partition)] = start
        return places


async def read_tail(bootstrap: str, topic: str, partition: int, count: int) -> list[Record]:
    """The last `count` records of a partition, oldest first (fewer when it holds fewer)."""
    async with LogReader(bootstrap) as log:
        end = await log.end(topic, partition)
        return [record async for batch in log.range(topic, partition, end - count, end) for record in batch]
