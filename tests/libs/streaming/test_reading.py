"""Reading partitions like files, following them, and bringing dead letters back: bytes as they were, order as it was."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from libs.contracts.codec import Encoded
from libs.contracts.topics import ALERT
from libs.contracts.trading import AlertRaised
from libs.kit.clock import ManualClock
from libs.kit.errors import BadMessage, UserError
from libs.kit.metrics import counter
from libs.streaming.admin import ensure_topics
from libs.streaming.deadletter import DeadLetters, original_of, replay
from libs.streaming.memory import MemoryBus, MemoryProducer, MemoryTail
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, beginning_offset, end_offset, read_range
from libs.streaming.tail import FROM_BEGINNING, TailConsumer, read_tail
from tests.libs.streaming.broker import fail, new_topic, put, until, whole
from tests.support.servers import Broker

pytestmark = pytest.mark.integration
NUMBERS = [str(number).encode() for number in range(100)]


async def test_ranges_hold_exactly_their_offsets(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, NUMBERS)
    assert (await beginning_offset(kafka_bootstrap, topic, 0), await end_offset(kafka_bootstrap, topic, 0)) == (0, 100)
    for start, end in [(0, 100), (7, 8), (95, 1000), (30, 30), (99, 3)]:
        read = [record async for batch in read_range(kafka_bootstrap, topic, 0, start, end) for record in batch]
        assert [record.value for record in read] == NUMBERS[start:end]
    assert [record.value for record in await read_tail(kafka_bootstrap, topic, 0, 3)] == NUMBERS[-3:]
    assert [record.value for record in await read_tail(kafka_bootstrap, topic, 0, 300)] == NUMBERS


async def test_the_newest_of_a_key_is_found_behind_others(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    producer = EventProducer(kafka_bootstrap, service="test", on_failure=fail)
    await producer.start()
    for key in ("main", "main", *["other"] * 40):
        await producer.send_encoded(topic, Encoded(b"{}", []), key=key.encode(), partition=0)
    await producer.stop()
    async with LogReader(kafka_bootstrap) as log:
        assert await log.newest(topic, 0, b"main") == 1
        assert await log.newest(topic, 0, b"other") == 41
        assert await log.newest(topic, 0, b"nobody") is None


async def test_what_retention_has_deleted_is_left_out(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, NUMBERS)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=40)})
    await admin.close()
    assert await beginning_offset(kafka_bootstrap, topic, 0) == 40
    read = [record async for batch in read_range(kafka_bootstrap, topic, 0, 0, 50) for record in batch]
    assert [record.value for record in read] == NUMBERS[40:50]


async def test_an_unknown_partition_is_one_clear_sentence(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap)
    with pytest.raises(UserError, match=r"has no partition 3.*MARKET_PARTITIONS"):
        await end_offset(kafka_bootstrap, topic, 3)


async def test_a_quiet_topic_is_answered_and_a_broker_that_hangs_answers_nothing(own_kafka: Broker) -> None:
    topic = await new_topic(own_kafka.bootstrap, partitions=2)
    async with TailConsumer(own_kafka.bootstrap, [topic]) as tail:

        async def answered_after(before: int) -> bool:
            assert await tail.poll(50) == []
            return tail.answered_ms > before

        await until(lambda: answered_after(0))
        known = tail.answered_ms
        await until(lambda: answered_after(known))
        own_kafka.hang()
        assert await tail.poll(300) == []  # what was under way has arrived
        known = tail.answered_ms
        assert not await answered_after(known)
        assert await tail.poll(300) == []
        assert tail.answered_ms == known
        own_kafka.go_on()
        await until(lambda: answered_after(known))


@pytest.mark.parametrize(("back", "old"), [(0, []), (2, [b"98", b"99"]), (FROM_BEGINNING, NUMBERS)])
async def test_a_tail_sees_what_it_asked_for_and_everything_new(
    kafka_bootstrap: str, back: int, old: list[bytes]
) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, NUMBERS)
    seen: list[bytes | None] = []
    async with TailConsumer(kafka_bootstrap, [topic], back=back) as tail:
        await put(kafka_bootstrap, topic, [b"new", b"last"])
        async with asyncio.timeout(20):
            async for record in tail:
                seen.append(record.value)
                if record.value == b"last":
                    break
    assert seen == [*old, b"new", b"last"]


async def test_dead_letters_keep_every_byte_and_come_back_where_they_were(kafka_bootstrap: str) -> None:
    topic = await new_topic(kafka_bootstrap, 3, dead_letters=True)
    producer = EventProducer(kafka_bootstrap, service="test", on_failure=fail)
    await producer.start()
    headers = [("schema", b"nothing/1"), ("odd", b"\x00\xff")]
    for value, key in [(b"\x00\xffgarbage", b"\x01key"), (b"", None), (b"fine", b"k")]:
        await producer.send_encoded(topic, Encoded(value, headers), key=key, partition=2)
    await producer.flush()
    originals = await whole(kafka_bootstrap, topic, 2)
    dropped = counter("perpstream_dlq_total").labels(topic, "undecodable")
    letters = DeadLetters(producer, "tester")
    for original in originals[:2]:
        await letters.put(original, BadMessage("undecodable", "byte 0"))
    assert dropped._value.get() == 2

    stored = await whole(kafka_bootstrap, f"{topic}.dlq")
    for letter, original in zip(stored, originals, strict=False):
        assert (letter.value, letter.key) == (original.value, original.key)
        kept = original_of(letter)
        assert (kept.topic, kept.partition, kept.offset, kept.headers) == (topic, 2, original.offset, original.headers)
        assert letter.headers["dlq-service"] == b"tester"
        assert (letter.headers["dlq-reason"], letter.headers["dlq-detail"]) == (b"undecodable", b"byte 0")
        assert int(letter.headers["dlq-at"]) > 1_700_000_000_000

    assert await replay(kafka_bootstrap, producer, topic, (0, 2), lambda letter: letter.key is not None) == 1
    again = (await whole(kafka_bootstrap, topic, 2))[3:]
    assert [(record.value, record.key, record.headers) for record in again] == [
        (originals[0].value, originals[0].key, originals[0].headers)
    ]
    with pytest.raises(UserError, match="no dead letter"):
        original_of(originals[2])
    await producer.stop()


async def test_the_largest_record_that_a_topic_takes_fits_its_dead_letters_and_one_without_header_values_is_read(
    empty_kafka: str,
) -> None:
    await ensure_topics(empty_kafka, 1)
    producer = EventProducer(empty_kafka, service="test", on_failure=fail)
    await producer.start()
    largest = b"x" * 1_048_000
    headers = [("schema", None), ("content-type", b"text/plain")]
    offset = await (
        await producer.send_encoded(ALERT.name, Encoded(largest, headers), key=None, partition=0)  # type: ignore[arg-type]
    )
    original = (await read_tail(empty_kafka, ALERT.name, 0, 1))[0]
    assert original.offset == offset
    assert original.headers == {"schema": b"", "content-type": b"text/plain"}
    await DeadLetters(producer, "tester").put(original, BadMessage("too_large", "x" * 5000))
    letter = (await read_tail(empty_kafka, ALERT.dead_letter, 0, 1))[0]
    assert letter.value == largest
    await producer.stop()


async def test_the_memory_bus_has_the_surface_and_the_order_of_the_real_one() -> None:
    bus = MemoryBus(ManualClock(1000))
    producer = MemoryProducer(bus)
    await bus.append(ALERT.name, 0, b"k", Encoded(b"old", []))
    news, everything = MemoryTail(bus, [ALERT.name]), MemoryTail(bus, [ALERT.name], back=FROM_BEGINNING)
    await news.start()
    await everything.start()
    waiting = asyncio.create_task(news.poll(5000))
    await asyncio.sleep(0)
    event = AlertRaised(event_id="1", event_time_ms=1, severity="info", source="t", title="a", detail="b", runbook=None)
    future = await producer.send(ALERT, event, key="k", partition=0)
    assert await future == 1
    assert [record.offset for record in await asyncio.wait_for(waiting, 5)] == [1]
    assert [record.offset for record in await everything.poll(10, 1)] == [0]
    assert [record.headers.get("observed-at") for record in await everything.poll(10)] == [b"1000"]
    assert await everything.poll(10) == []
