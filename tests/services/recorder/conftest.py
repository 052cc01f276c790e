"""A migrated database, the product's topics on a real broker, and a recorder that runs until the tables hold what is awaited."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import Encoded
from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, TIMELINE
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.store.offsets import PostgresOffsets
from libs.streaming.admin import ensure_topics
from libs.streaming.consumer import BatchConsumer, ConsumerOptions
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from libs.streaming.records import end_offset
from services.recorder.writing import Recorder

TOPICS = (TIMELINE.name, SIGNAL_INDICATOR.name, SIGNAL_SCORED.name)
PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Installation:
    """One broker with the product's topics (one market partition) and one database at the newest revision."""

    bootstrap: str
    engine: AsyncEngine
    producer: EventProducer

    async def append(self, records: Sequence[Encoded], topic: str = TIMELINE.name) -> int:
        """Append to partition 0; returns the offset after the last."""
        sent = [await self.producer.send_encoded(topic, record, key=b"0", partition=0) for record in records]
        return (await asyncio.gather(*sent))[-1] + 1

    async def all(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a question."""
        async with read_session(self.engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]

    async def until_read(self, group: str = "recorder") -> None:
        """Wait until the stored positions stand at the ends of the three topics."""
        ends = {topic: await end_offset(self.bootstrap, topic, 0) for topic in TOPICS}
        wanted = {topic: end for topic, end in ends.items() if end}
        statement = (
            "SELECT topic, next_offset FROM consumer_offsets"
            f" WHERE consumer_group = '{group}' AND updated_at = (SELECT max(updated_at) FROM consumer_offsets c"
            " WHERE c.topic = consumer_offsets.topic AND c.consumer_group = consumer_offsets.consumer_group)"
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while dict(await self.all(statement)) != wanted:  # noqa: ASYNC110 - another process may do the work
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def recording(
        self, group: str = "recorder", max_records: int = 2000, *, real_time: bool = True
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """A recorder at work inside the block; errors that end it are raised at the block's end."""
        recorder = Recorder(
            self.bootstrap, self.engine, self.producer, DeadLetters(self.producer, "recorder"), real_time
        )
        wanted = ConsumerOptions(collect_ms=20, max_records=max_records)
        consumer = BatchConsumer(self.bootstrap, group, TOPICS, PostgresOffsets(self.engine), recorder.handle, wanted)
        stopping = asyncio.Event()
        running = asyncio.create_task(consumer.run(stopping))
        try:
            yield running
        finally:
            stopping.set()
            await running

    async def record_all(self, group: str = "recorder", max_records: int = 2000, *, real_time: bool = True) -> None:
        """Run a recorder until it has read everything; fails at once when it ends early."""
        async with self.recording(group, max_records, real_time=real_time) as running:
            read = asyncio.create_task(self.until_read(group))
            await asyncio.wait({running, read}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                read.cancel()
                running.result()
            await read


@pytest.fixture
async def installation(empty_kafka: str, database_url: str) -> AsyncIterator[Installation]:
    await ensure_topics(empty_kafka, 1)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    producer = EventProducer(empty_kafka, service="test", on_failure=_fail)
    await producer.start()
    yield Installation(empty_kafka, engine, producer)
    await producer.stop()
    await engine.dispose()


def _fail(reason: str) -> None:
    raise AssertionError(reason)
