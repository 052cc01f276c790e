"""Real Kafka, two sequencer processes at once, SIGKILL in a loop: the accepted sequence equals the sources."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.contracts.codec import Encoded, encode
from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame
from libs.contracts.partitioning import partition_of
from libs.contracts.timeline import HEADER_SOURCE, Source
from libs.contracts.topics import AGGTRADE, LIQUIDATION, MARKPRICE, STRATEGY_CONTROL, TIMELINE
from libs.kit.metrics import REGISTRY
from libs.streaming.admin import ensure_topics
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import own_event
from services.sequencer.core import SequencerCore
from services.sequencer.owner import OwnerParts, PartitionOwner
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.processes import ServiceProcess, eventually
from tests.services.sequencer.log_model import liquidation_record
from tests.services.signal_engine.timelines import activation
from tests.support.servers import Broker

pytestmark = pytest.mark.integration
PARTITIONS = 2
SYMBOLS = {0: "BTCUSDT", 1: "ETHUSDT"}


def environment(bootstrap: str) -> dict[str, str]:
    return {
        "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
        "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
        "PERPSTREAM_SEQUENCER_TAKEOVER_SECONDS": "2",
    }


@pytest.fixture
def sequencers(empty_kafka: str, tmp_path: Path) -> Iterator[list[ServiceProcess]]:
    processes = [ServiceProcess("sequencer", environment(empty_kafka), tmp_path / f"sequencer{n}.log") for n in (0, 1)]
    yield processes
    for process in processes:
        if process.running:
            process.kill()


def frame(partition: int, number: int) -> AggTradeFrame:
    symbol = SYMBOLS[partition]
    rows = [Row(symbol, 10 * number + k, 100, 1, 50 * number + k, False) for k in range(10)]
    return make_frame(Envelope(partition, sequence=number), rows, {symbol: 50 * number + 8})


def test_the_symbols_of_this_test_are_at_home() -> None:
    assert {partition: partition_of(symbol, PARTITIONS) for partition, symbol in SYMBOLS.items()} == {0: 0, 1: 1}


async def produce(producer: EventProducer, until: asyncio.Event) -> int:
    """Frames and slow records into both partitions, some garbage between them; returns how many frames."""
    number = 0
    slow = liquidation_record(0)
    while not until.is_set():
        for partition in range(PARTITIONS):
            await producer.send(AGGTRADE, frame(partition, number), key=str(partition), partition=partition)
        await producer.send_encoded(
            LIQUIDATION.name, Encoded(slow.value or b"", list(slow.headers.items())), key=b"BTCUSDT", partition=0
        )
        if number % 50 == 7:
            await producer.send_encoded(AGGTRADE.name, Encoded(b"junk", []), key=b"0", partition=0)
        number += 1
        await asyncio.sleep(0.004)
    await producer.flush()
    return number


async def timeline(reader: LogReader, partition: int) -> tuple[list[Record], SequencerCore]:
    """What a reader of the whole partition accepts."""
    core, taken = SequencerCore(partition, PARTITIONS), []
    end = await reader.end(TIMELINE.name, partition)
    async for batch in reader.range(TIMELINE.name, partition, 0, end):
        taken += [record for record in batch if core.follow(record) and own_event(record) is None]
    return taken, core


async def everything_copied(bootstrap: str) -> bool:
    async with LogReader(bootstrap) as reader:
        for partition in range(PARTITIONS):
            core = (await timeline(reader, partition))[1]
            for topic in (AGGTRADE, LIQUIDATION):
                if core.position(topic.name, partition) + 1 < await reader.end(topic.name, partition):
                    return False
    return True


async def source(reader: LogReader, topic: str, partition: int) -> list[Record]:
    end = await reader.end(topic, partition)
    return [record async for batch in reader.range(topic, partition, 0, end) for record in batch]


async def test_two_sequencers_and_a_kill_loop_lose_and_double_nothing(
    empty_kafka: str, sequencers: list[ServiceProcess]
) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    producer, until, dice = EventProducer(empty_kafka, service="test"), asyncio.Event(), random.Random(7)
    await producer.start()
    for process in sequencers:
        process.start()
    producing = asyncio.create_task(produce(producer, until))
    for _ in range(7):
        await asyncio.sleep(dice.uniform(0.8, 2.0))
        victim = dice.choice(sequencers)
        assert victim.running, victim.log.read_text()
        victim.kill()
        victim.start()
    until.set()
    frames = await producing
    assert frames > 500
    await eventually(lambda: everything_copied(empty_kafka), 90, sequencers[0].log.read_text)
    await producer.stop()
    async with LogReader(empty_kafka) as reader:
        for partition in range(PARTITIONS):
            taken, core = await timeline(reader, partition)
            assert core.gate.epoch >= 3
            for topic in (AGGTRADE.name, LIQUIDATION.name, MARKPRICE.name):
                originals = await source(reader, topic, partition)
                good = [record for record in originals if record.value != b"junk"]
                copied = [r for r in taken if r.headers[HEADER_SOURCE].startswith(topic.encode())]
                assert [(r.value, r.offset) for r in good] == [
                    (r.value, Source.parse(r.headers[HEADER_SOURCE].decode()).offset) for r in copied
                ]
        dead = await source(reader, AGGTRADE.dead_letter, 0)
        assert {record.value for record in dead} == {b"junk"}
        assert {record.headers["dlq-reason"] for record in dead} == {b"missing_schema"}


async def test_a_bad_strategy_record_is_put_aside_once_and_every_partition_goes_on(
    empty_kafka: str, sequencers: list[ServiceProcess]
) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    for encoded in (Encoded(b"junk", []), encode(activation(30)), Encoded(b"rubbish", []), encode(activation(40))):
        await producer.send_encoded(STRATEGY_CONTROL.name, encoded, key=b"a", partition=0)
    await producer.flush()
    await producer.stop()
    sequencers[0].start()

    async def copied_everywhere() -> bool:
        async with LogReader(empty_kafka) as reader:
            return all([len((await timeline(reader, partition))[0]) == 2 for partition in range(PARTITIONS)])

    await eventually(copied_everywhere, 60, sequencers[0].log.read_text)
    async with LogReader(empty_kafka) as reader:
        dead = await source(reader, STRATEGY_CONTROL.dead_letter, 0)
    assert [record.value for record in dead] == [b"junk", b"rubbish"]


async def test_one_frame_is_copied_byte_for_byte_with_its_headers(
    empty_kafka: str, sequencers: list[ServiceProcess]
) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    sequencers[0].start()
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    original = frame(1, 3)
    await (await producer.send(AGGTRADE, original, key="1", partition=1, headers=[("traceparent", b"00-ab-cd-01")]))
    await eventually(lambda: everything_copied(empty_kafka), 60, sequencers[0].log.read_text)
    await producer.stop()
    async with LogReader(empty_kafka) as reader:
        (before,), (after,) = await source(reader, AGGTRADE.name, 1), (await timeline(reader, 1))[0]
    assert (after.value, after.key) == (before.value, b"1")
    assert before.headers.items() <= after.headers.items()
    assert after.headers["source"] == b"market.aggtrade.v1:1:0"
    assert after.headers["effective-at"] == b"-1"
    assert len(read_columns(original)) == 10
    assert sequencers[0].stop() == 0


def consumed(topic: str) -> float:
    return REGISTRY.get_sample_value("perpstream_records_consumed_total", {"topic": topic}) or 0.0


async def test_each_source_record_is_counted_once_under_its_own_topic(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    slow = liquidation_record(0)
    for _ in range(3):
        await producer.send_encoded(
            LIQUIDATION.name, Encoded(slow.value or b"", list(slow.headers.items())), key=b"BTCUSDT", partition=0
        )
    for number in range(2):
        await producer.send(AGGTRADE, frame(0, number), key="0", partition=0)
    await producer.flush()
    before = {topic.name: consumed(topic.name) for topic in (AGGTRADE, LIQUIDATION)}
    parts = OwnerParts(empty_kafka, PARTITIONS, producer, DeadLetters(producer, "sequencer"), "test")

    async def on_owned() -> None:
        return

    running = asyncio.create_task(PartitionOwner(parts, 0).run(on_owned))
    await eventually(lambda: everything_copied(empty_kafka), 60, lambda: str(running))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await producer.stop()
    assert {name: consumed(name) - count for name, count in before.items()} == {AGGTRADE.name: 2, LIQUIDATION.name: 3}


async def test_the_broker_dies_and_comes_back(own_kafka: Broker, tmp_path: Path) -> None:
    bootstrap = own_kafka.bootstrap
    await ensure_topics(bootstrap, PARTITIONS)
    process = ServiceProcess("sequencer", environment(bootstrap), tmp_path / "sequencer.log")
    process.start()
    producer, until = EventProducer(bootstrap, service="test"), asyncio.Event()
    await producer.start()
    producing = asyncio.create_task(produce(producer, until))

    async def copying() -> bool:
        async with LogReader(bootstrap) as reader:
            return await reader.end(TIMELINE.name, 0) > 50

    await eventually(copying, 60, process.log.read_text)
    own_kafka.kill()
    own_kafka.start()

    async def done() -> bool:
        if not process.running:
            process.start()
        return await everything_copied(bootstrap)

    await asyncio.sleep(0.5)
    until.set()
    await producing
    await eventually(done, 90, process.log.read_text)
    await producer.stop()
    process.stop()
    async with LogReader(bootstrap) as reader:
        for partition in range(PARTITIONS):
            taken, _ = await timeline(reader, partition)
            originals = await source(reader, AGGTRADE.name, partition)
            copied = [r.value for r in taken if r.headers[HEADER_SOURCE].startswith(AGGTRADE.name.encode())]
            assert copied == [record.value for record in originals if record.value != b"junk"]
