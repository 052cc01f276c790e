"""Real Kafka and PostgreSQL: workers that are killed, share partitions or meet garbage give what an unbroken run gives."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from libs.contracts.codec import Encoded, decode
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, STRATEGY_ANSWER, TIMELINE
from libs.indicators.settings import KernelSettings
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from libs.store.migrate import upgrade
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from services.signal_engine.core import EngineCore
from tests.services.processes import ServiceProcess, eventually
from tests.services.signal_engine.timelines import mixed_timeline

pytestmark = pytest.mark.integration
PARTITIONS = 2
STEPS = 6
SYMBOLS = {0: ["BTCUSDT", "XRPUSDT"], 1: ["ETHUSDT", "SOLUSDT"]}


class Engines:
    """Two engine processes on the test's broker and database."""

    def __init__(self, bootstrap: str, database_url: str, folder: Path) -> None:
        environment = {
            "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
            "PERPSTREAM_DATABASE_URL": database_url,
            "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
            "PERPSTREAM_ENGINE_SNAPSHOT_SECONDS": "0.5",
        }
        self.bootstrap, self.database_url = bootstrap, database_url
        self.processes = [ServiceProcess("signal_engine", environment, folder / f"engine{n}.log") for n in (0, 1)]

    def at_work(self, process: ServiceProcess) -> bool:
        """Whether the newest life of a process has recovered a partition."""
        lives = process.log.read_text().split("engine starts")
        return process.running and "partition recovered" in lives[-1]

    async def anyone_at_work(self) -> bool:
        """Whether some process has recovered a partition since it was started."""
        return any(self.at_work(process) for process in self.processes)

    def logs(self) -> str:
        """The ends of both logs."""
        return "\n".join(process.log.read_text()[-2500:] for process in self.processes if process.log.exists())


@pytest.fixture
def engines(empty_kafka: str, database_url: str, tmp_path: Path) -> Iterator[Engines]:
    engines = Engines(empty_kafka, database_url, tmp_path)
    yield engines
    for process in engines.processes:
        if process.running:
            process.kill()


async def prepare(engines: Engines) -> None:
    """The topics and the tables that an installation has before its services start."""
    await ensure_topics(engines.bootstrap, PARTITIONS)
    database = create_engine(DatabaseSettings(database_url=engines.database_url))
    await upgrade(database)
    await database.dispose()


async def append(producer: EventProducer, partition: int, records: list[Record]) -> None:
    """Put made records on the timeline as the sequencer does."""
    for record in records:
        encoded = Encoded(record.value or b"", list(record.headers.items()))
        await producer.send_encoded(TIMELINE.name, encoded, key=b"0", partition=partition)
    await producer.flush()


async def everything(bootstrap: str, topic: str, partition: int = 0) -> list[Record]:
    async with LogReader(bootstrap) as log:
        end = await log.end(topic, partition)
        return [record async for batch in log.range(topic, partition, 0, end) for record in batch]


def unbroken(records: list[Record]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Signals and indicators of an unbroken run, by id."""
    out = EngineCore(KernelSettings()).process(records)
    signals = [output.encoded.value for output in out.signals]
    indicators = [output.encoded.value for output in out.indicators]
    return by_id(SignalScored, signals), by_id(IndicatorComputed, indicators)


def by_id(kind: type[SignalScored] | type[IndicatorComputed], values: list[bytes]) -> dict[str, bytes]:
    """Values by event id; the same id with other bytes fails."""
    found: dict[str, bytes] = {}
    headers = {"schema": kind.SCHEMA.encode(), "content-type": b"application/json"}
    for value in values:
        assert found.setdefault(decode(value, headers).event_id, value) == value
    return found


async def seen(bootstrap: str, partition: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    signals = await everything(bootstrap, SIGNAL_SCORED.name, partition)
    indicators = await everything(bootstrap, SIGNAL_INDICATOR.name, partition)
    return (
        by_id(SignalScored, [record.value or b"" for record in signals]),
        by_id(IndicatorComputed, [record.value or b"" for record in indicators]),
    )


async def test_killed_workers_give_what_an_unbroken_run_gives(engines: Engines) -> None:
    await prepare(engines)
    timelines = {partition: mixed_timeline(partition, SYMBOLS[partition], 1500).records for partition in SYMBOLS}
    expected = {partition: unbroken(records) for partition, records in timelines.items()}
    producer, dice = EventProducer(engines.bootstrap, service="test"), random.Random(3)
    await producer.start()
    for process in engines.processes:
        process.start()
    for step in range(STEPS):
        for partition, records in timelines.items():
            size = len(records) // STEPS + 1
            await append(producer, partition, records[step * size : (step + 1) * size])
        await eventually(engines.anyone_at_work, 120, engines.logs)
        await asyncio.sleep(dice.uniform(0, 0.5))
        victim = next(process for process in engines.processes if engines.at_work(process))
        victim.kill()
        victim.start()

    async def complete() -> bool:
        return all([await seen(engines.bootstrap, p) == expected[p] for p in timelines])

    await eventually(complete, 150, engines.logs)
    await producer.stop()
    for partition in timelines:
        dead = await everything(engines.bootstrap, TIMELINE.dead_letter)
        refused = [record.offset for record in timelines[partition] if not record.headers]
        places = {int(r.headers["dlq-offset"]) for r in dead if r.headers["dlq-partition"] == b"%d" % partition}
        assert places == set(refused)
        assert refused
    answers = await everything(engines.bootstrap, STRATEGY_ANSWER.name)
    said = {decode(record.value, record.headers, STRATEGY_ANSWER.events).event_id for record in answers}
    wanted = set()
    for partition, records in timelines.items():
        there = [replace(record, partition=partition) for record in records]
        wanted |= {answer.event_id for answer in EngineCore(KernelSettings()).process(there).answers}
    assert len(wanted) > len(timelines)
    assert said == wanted, "an activation was not answered, or answered otherwise than an unbroken run does"


async def test_two_workers_share_the_partitions_and_one_takes_over_from_the_other(engines: Engines) -> None:
    await prepare(engines)
    timelines = {partition: mixed_timeline(9 + partition, SYMBOLS[partition], 600).records for partition in SYMBOLS}
    half = {partition: len(records) // 2 for partition, records in timelines.items()}
    expected = {partition: unbroken(records) for partition, records in timelines.items()}
    expected_half = {partition: unbroken(records[: half[partition]]) for partition, records in timelines.items()}
    producer = EventProducer(engines.bootstrap, service="test")
    await producer.start()
    for process in engines.processes:
        process.start()

    async def shared() -> bool:
        return all(
            engine.log.exists() and "partition recovered" in engine.log.read_text() for engine in engines.processes
        )

    await eventually(shared, 120, engines.logs)
    for partition, records in timelines.items():
        await append(producer, partition, records[: half[partition]])

    async def first_half() -> bool:
        return all([await seen(engines.bootstrap, p) == expected_half[p] for p in timelines])

    await eventually(first_half, 120, engines.logs)
    assert engines.processes[0].stop() == 0
    for partition, records in timelines.items():
        await append(producer, partition, records[half[partition] :])

    async def complete() -> bool:
        return all([await seen(engines.bootstrap, p) == expected[p] for p in timelines])

    await eventually(complete, 120, engines.logs)
    await producer.stop()
