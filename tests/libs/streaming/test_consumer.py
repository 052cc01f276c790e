"""Every record's rows exactly once, whoever is killed, paused or doubled: positions move with the rows or not at all."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from libs.kit.errors import BadMessage, OffsetConflict, TryAgain, UserError
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from libs.store.migrate import upgrade
from libs.streaming.consumer import BatchConsumer, Commit, ConsumerOptions, PartitionBatch
from libs.streaming.records import log_generation
from tests.libs.streaming.broker import child, new_topic, put, until, whole
from tests.support.servers import Broker

pytestmark = pytest.mark.integration
CHILD = "tests.libs.streaming.consumer_child"
FAST = ConsumerOptions(session_timeout_ms=6000, collect_ms=10, longest_pause_seconds=0.2)


@dataclass
class Positions:
    """Positions in memory, by compare-and-set like the real ones."""

    stored: dict[tuple[str, str, int, str], int] = field(default_factory=dict)

    async def load(self, group: str, topic: str, partition: int, generation: str) -> int | None:
        return self.stored.get((group, topic, partition, generation))

    def advance(self, commit: Commit) -> None:
        if self.stored.get(commit.log) != commit.old:
            raise OffsetConflict
        self.stored[commit.log] = commit.new


@contextlib.asynccontextmanager
async def running(consumer: BatchConsumer) -> AsyncIterator[asyncio.Task[None]]:
    stopping = asyncio.Event()
    task = asyncio.create_task(consumer.run(stopping))
    try:
        yield task
    finally:
        stopping.set()
        with contextlib.suppress(OffsetConflict, UserError):
            await asyncio.wait_for(task, 10)


@pytest.fixture
async def seen(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await upgrade(engine)
    await engine.dispose()
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE seen (partition int, record_offset bigint)")
    yield connection
    await connection.close()


async def rows_of(seen: "asyncpg.Connection[asyncpg.Record]") -> tuple[int, int]:
    row = await seen.fetchrow("SELECT count(*), count(DISTINCT (partition, record_offset)) FROM seen")
    assert row is not None
    return row[0], row[1]


async def test_every_record_once_over_a_loop_of_kills(
    kafka_bootstrap: str, database_url: str, seen: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap, 2, dead_letters=True)
    values = [b"x"] * 10_000
    await put(kafka_bootstrap, topic, [*values, b"poison", b"x"], 0)
    await put(kafka_bootstrap, topic, values, 1)
    chance = random.Random(7)
    arguments = [kafka_bootstrap, database_url, topic, "instance-1"]  # static membership: no session to wait for
    for round_number in range(3):
        before = (await rows_of(seen))[0]
        target = before + chance.randint(100, 3000)
        with child(CHILD, arguments, tmp_path) as process:

            async def advanced(target: int = target) -> bool:
                return (await rows_of(seen))[0] >= target

            await until(advanced)
            process.kill()
        assert (await rows_of(seen))[0] > before, round_number
    with child(CHILD, arguments, tmp_path) as process:

        async def complete() -> bool:
            return (await rows_of(seen))[0] >= 20_001

        await until(complete, 40)
        process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert await rows_of(seen) == (20_001, 20_001)
    [letter] = await whole(kafka_bootstrap, f"{topic}.dlq")
    assert (letter.value, letter.headers["dlq-offset"], letter.headers["dlq-reason"]) == (
        b"poison",
        b"10000",
        b"poison",
    )


async def test_a_paused_zombie_cannot_write_what_its_successor_has_written(
    kafka_bootstrap: str, database_url: str, seen: "asyncpg.Connection[asyncpg.Record]", tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap, 1)
    arguments = [kafka_bootstrap, database_url, topic]
    with child(CHILD, arguments, tmp_path) as zombie, child(CHILD, arguments, tmp_path) as other:
        await zombie.wrote("assigned")
        await other.wrote("assigned")
        put_in_all, stopped_at = 0, 0
        while stopped_at == put_in_all:
            # Whoever has read everything before it could be stopped goes on, and gets more.
            for process in (zombie, other):
                process.send_signal(signal.SIGCONT)
            await put(kafka_bootstrap, topic, [b"x"] * 20_000)
            put_in_all += 20_000
            await until(partial(_more_rows, seen, stopped_at))
            owner, successor = (zombie, other) if len(zombie.lines()) > len(other.lines()) else (other, zombie)
            owner.send_signal(signal.SIGSTOP)
            stopped_at = (await rows_of(seen))[0]

        async def taken_over() -> bool:
            return (await rows_of(seen))[0] > stopped_at

        await until(taken_over, 40)
        owner.send_signal(signal.SIGCONT)
        await until(partial(_all_rows, seen, put_in_all), 40)
        await put(kafka_bootstrap, topic, [b"x"])

        async def one_more() -> bool:
            return (await rows_of(seen))[1] == put_in_all + 1

        await until(one_more)
        successor.send_signal(signal.SIGTERM)
        owner.send_signal(signal.SIGTERM)
        await successor.ended()
        await owner.ended()
    assert await rows_of(seen) == (put_in_all + 1, put_in_all + 1)


async def _more_rows(seen: "asyncpg.Connection[asyncpg.Record]", than: int) -> bool:
    return (await rows_of(seen))[0] > than


async def _all_rows(seen: "asyncpg.Connection[asyncpg.Record]", count: int) -> bool:
    return (await rows_of(seen))[1] >= count


async def test_a_conflict_without_a_revocation_ends_the_consumer(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, [b"a"])

    async def handle(_: PartitionBatch, __: Commit) -> None:
        raise OffsetConflict("somebody else was faster")

    async with running(BatchConsumer(kafka_bootstrap, f"g{topic}", [topic], Positions(), handle, FAST)) as task:
        with pytest.raises(OffsetConflict):
            await asyncio.wait_for(asyncio.shield(task), 20)


async def test_a_new_log_with_old_positions_starts_at_its_beginning(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, [b"a", b"b"])
    generation = await log_generation(kafka_bootstrap, topic)
    positions = Positions({(f"g{topic}", topic, 0, "another cluster/another topic"): 2})
    values: list[bytes | None] = []

    async def handle(batch: PartitionBatch, commit: Commit) -> None:
        positions.advance(commit)
        values.extend(record.value for record in batch.records)

    async with running(BatchConsumer(kafka_bootstrap, f"g{topic}", [topic], positions, handle, FAST)):
        await until(lambda: _is(len(values) == 2))
    assert values == [b"a", b"b"]
    assert positions.stored[f"g{topic}", topic, 0, generation] == 2


async def test_a_stored_position_is_where_reading_goes_on_and_one_beyond_the_end_is_an_error(
    kafka_bootstrap: str,
) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, [b"a", b"b", b"c"])
    key = (f"g{topic}", topic, 0, await log_generation(kafka_bootstrap, topic))
    positions = Positions({key: 1})
    values: list[bytes | None] = []

    async def handle(batch: PartitionBatch, commit: Commit) -> None:
        positions.advance(commit)
        values.extend(record.value for record in batch.records)

    async with running(BatchConsumer(kafka_bootstrap, key[0], [topic], positions, handle, FAST)):
        await until(lambda: _is(positions.stored[key] == 3))
    assert values == [b"b", b"c"]
    positions.stored[key] = 9
    async with running(BatchConsumer(kafka_bootstrap, key[0], [topic], positions, handle, FAST)) as task:
        with pytest.raises(UserError, match=r"ends at 3, but .* has read up to 9"):
            await asyncio.wait_for(asyncio.shield(task), 20)


async def test_try_again_repeats_the_same_batch_and_bad_records_are_put_aside_alone(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap, dead_letters=True)
    await put(kafka_bootstrap, topic, [b"bad" if n in (3, 4, 9) else str(n).encode() for n in range(12)])
    positions = Positions()
    values: list[bytes | None] = []
    attempts: list[list[int]] = []

    reasons: list[str | None] = []

    async def handle(batch: PartitionBatch, commit: Commit) -> None:
        attempts.append([record.offset for record in batch.records])
        reasons.append(consumer.waiting_for)
        if len(attempts) < 3:
            raise TryAgain("the database rests", after_seconds=0.01)
        for record in batch.records:
            if record.value == b"bad":
                raise BadMessage("bad_value", record.place)
        positions.advance(commit)
        values.extend(record.value for record in batch.records)

    consumer = BatchConsumer(kafka_bootstrap, f"g{topic}", [topic], positions, handle, FAST)
    async with running(consumer):
        await until(lambda: _is(list(positions.stored.values()) == [12]))
    assert attempts[0] == attempts[1] == attempts[2]
    assert reasons[:4] == [None, "the database rests", "the database rests", None]
    assert consumer.waiting_for is None
    assert values == [str(n).encode() for n in range(12) if n not in (3, 4, 9)]
    letters = await whole(kafka_bootstrap, f"{topic}.dlq")
    assert [int(letter.headers["dlq-offset"]) for letter in letters] == [3, 4, 9]


async def test_a_broker_that_is_killed_and_comes_back_is_waited_for(own_kafka: Broker) -> None:
    topic = await new_topic(own_kafka.bootstrap)
    await put(own_kafka.bootstrap, topic, [b"before"])
    positions = Positions()
    values: list[bytes | None] = []

    async def handle(batch: PartitionBatch, commit: Commit) -> None:
        positions.advance(commit)
        values.extend(record.value for record in batch.records)

    async with running(BatchConsumer(own_kafka.bootstrap, f"g{topic}", [topic], positions, handle, FAST)) as task:
        await until(lambda: _is(values == [b"before"]))
        own_kafka.kill()
        await asyncio.to_thread(own_kafka.start)
        await put(own_kafka.bootstrap, topic, [b"after"])
        await until(lambda: _is(values == [b"before", b"after"]), 60)
        assert not task.done()


async def _is(fact: bool) -> bool:
    return fact
