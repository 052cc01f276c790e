"""Reading a topic's partition like a file: ranges, ends, and which log this is, without groups or commits."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from libs.contracts.codec import header_map
from libs.kit.errors import UserError
from libs.streaming.connection import unreachable
from libs.streaming.generation import log_generation, log_generations

__all__ = [
    "LogReader",
    "Record",
    "beginning_offset",
    "end_offset",
    "log_generation",
    "log_generations",
    "read_range",
    "record_of",
]

_POLL_MS = 500
_FETCH_WAIT_MS = 100
BATCH_RECORDS = 2000


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands in the log. `timestamp_ms` is the broker's append time (ms, UTC)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    timestamp_ms: int

    @property
    def place(self) -> str:
        """Where the record stands, as "topic:partition:offset"."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def record_of(message: "ConsumerRecord[bytes, bytes]") -> Record:
    """The client's record in our form; see `header_map` for its headers."""
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        header_map(message.headers),
        message.timestamp,
    )


class LogReader:
    """One connection for many questions and ranges; `async with LogReader(bootstrap) as log`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise unreachable(self._bootstrap, error) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def partitions(self, topic: str) -> list[int]:
        """The topic's partitions in order; raises `UserError` when it does not exist."""
        found = await self._known(topic)
        return sorted(found)

    async def beginning(self, topic: str, partition: int) -> int:
        """The offset of the oldest record that is kept (the end, when none is)."""
        at = TopicPartition(topic, partition)
        await self._require(at)
        return int((await self._consumer.beginning_offsets([at]))[at])

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next record will get."""
        at = TopicPartition(topic, partition)
        await self._require(at)
        return int((await self._consumer.end_offsets([at]))[at])

    async def newest(self, topic: str, partition: int, key: bytes) -> int | None:
        """The offset of the newest record with that key, looked for from the end in growing steps; None when there is none."""
        beginning, until = await self.beginning(topic, partition), await self.end(topic, partition)
        step = 1
        while until > beginning:
            since = max(beginning, until - step)
            found = [
                one async for batch in self.range(topic, partition, since, until) for one in batch if one.key == key
            ]
            if found:
                return found[-1].offset
            until, step = since, step * 8
        return None

    async def range(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[list[Record]]:
        """Batches of the records with `start <= offset < end` in order; what retention has deleted is left out."""
        at = TopicPartition(topic, partition)
        position = max(start, await self.beginning(topic, partition))
        end = min(end, await self.end(topic, partition))
        if position >= end:
            return
        self._consumer.assign([at])
        self._consumer.seek(at, position)
        while position < end:
            messages = await self._consumer.getmany(at, timeout_ms=_POLL_MS, max_records=BATCH_RECORDS)
            batch = [record_of(message) for message in messages.get(at, ()) if message.offset < end]
            if batch:
                yield batch
            position = await self._consumer.position(at)

    async def _known(self, topic: str) -> Iterable[int]:
        client = self._consumer._client  # the consumer itself offers no question about topics it does not follow
        if not self._consumer.partitions_for_topic(topic):
            metadata = await client.fetch_all_metadata()
            if not (found := metadata.partitions_for_topic(topic)):
                raise UserError(
                    f"topic {topic} does not exist",
                    where=self._bootstrap,
                    todo="create the topics: perpstream topics create",
                )
            return set(found)
        return set(self._consumer.partitions_for_topic(topic))

    async def _require(self, at: TopicPartition) -> None:
        found = await self._known(at.topic)
        if at.partition not in found:
            raise UserError(
                f"topic {at.topic} has no partition {at.partition}",
                where=self._bootstrap,
                todo="set PERPSTREAM_MARKET_PARTITIONS to the number the topics were created with",
            )


async def read_range(bootstrap: str, topic: str, partition: int, start: int, end: int) -> AsyncIterator[list[Record]]:
    """Batches of the records with `start <= offset < end`, in order, over a connection of its own."""
    async with LogReader(bootstrap) as log:
        async for batch in log.range(topic, partition, start, end):
            yield batch


async def end_offset(bootstrap: str, topic: str, partition: int) -> int:
    """The offset that the partition's next record will get."""
    async with LogReader(bootstrap) as log:
        return await log.end(topic, partition)


async def beginning_offset(bootstrap: str, topic: str, partition: int) -> int:
    """The offset of the partition's oldest record (its end, when it holds none)."""
    async with LogReader(bootstrap) as log:
        return await log.beginning(topic, partition)
