"""The producer delivers everything in order, waits for a broker that is away, holds back its callers, and fails loudly."""

import asyncio
from pathlib import Path

import pytest

from libs.contracts.codec import Encoded, decode
from libs.contracts.topics import ALERT
from libs.contracts.trading import AlertRaised
from libs.kit.errors import UnreachableError
from libs.kit.metrics import counter
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from tests.libs.streaming.broker import child, fail, new_topic, until, whole
from tests.support.servers import Broker

pytestmark = pytest.mark.integration


async def _is(fact: bool) -> bool:
    return fact


async def test_events_arrive_with_key_headers_and_offsets_in_order(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, market_partitions=2)
    producer = EventProducer(empty_kafka, service="test", on_failure=fail)
    await producer.start()
    produced = counter("perpstream_records_produced_total").labels(ALERT.name)
    before = produced._value.get()
    events = [
        AlertRaised(event_id=str(i), event_time_ms=i, severity="info", source="t", title="a", detail="b", runbook=None)
        for i in range(50)
    ]
    futures = [await producer.send(ALERT, event, key=event.event_id, partition=0) for event in events]
    await producer.flush()
    assert [future.result() for future in futures] == list(range(50))
    assert producer.buffered == 0
    await producer.stop()

    records = await whole(empty_kafka, ALERT.name)
    assert [decode(record.value, record.headers) for record in records] == events
    assert [record.key for record in records] == [event.event_id.encode() for event in events]
    assert all(int(record.headers["observed-at"]) > 1_700_000_000_000 for record in records)
    assert produced._value.get() - before == 50


async def test_callers_wait_for_room_and_nothing_is_lost_or_doubled_while_the_broker_is_away(own_kafka: Broker) -> None:
    topic = await new_topic(own_kafka.bootstrap)
    producer = EventProducer(own_kafka.bootstrap, service="test", max_buffered=8, on_failure=fail)
    await producer.start()
    await (await producer.send_encoded(topic, Encoded(b"0", []), key=None, partition=0))

    async def send_all() -> None:
        for number in range(1, 200):
            await producer.send_encoded(topic, Encoded(str(number).encode(), []), key=None, partition=0)

    own_kafka.hang()
    sending = asyncio.create_task(send_all())
    await until(lambda: _is(producer.buffered == 8), 5)
    done, _ = await asyncio.wait([sending], timeout=0.3)
    assert not done, "the caller was not held back"
    assert producer.buffered == 8
    first = producer.oldest_unacknowledged_seconds
    assert first >= 0.3, "the oldest record counts, not the newest"

    own_kafka.kill()
    await asyncio.to_thread(own_kafka.start)
    await asyncio.wait_for(sending, 30)
    await asyncio.wait_for(producer.flush(), 30)
    assert producer.oldest_unacknowledged_seconds == 0
    assert [record.value for record in await whole(own_kafka.bootstrap, topic)] == [str(n).encode() for n in range(200)]
    await producer.stop()


@pytest.mark.parametrize(
    ("value", "partition", "exists", "reason"),
    [
        (b"x" * 2_000_000, 0, True, "MessageSizeTooLarge"),
        (b"x", 7, True, "Unrecognized partition"),
        (b"x", 0, False, "does not exist"),
    ],
)
async def test_what_cannot_be_delivered_is_a_failure_at_once(
    kafka_bootstrap: str, value: bytes, partition: int, exists: bool, reason: str
) -> None:
    topic = await new_topic(kafka_bootstrap) if exists else "never.created.v1"
    reasons: list[str] = []
    producer = EventProducer(kafka_bootstrap, service="test", on_failure=reasons.append)
    await producer.start()
    future = await asyncio.wait_for(producer.send_encoded(topic, Encoded(value, []), key=None, partition=partition), 10)
    assert len(reasons) == 1
    assert reason in reasons[0]
    assert topic in reasons[0]
    assert reason in str(future.exception())
    assert producer.buffered == 0
    await producer.stop()


async def test_by_default_a_failed_delivery_ends_the_process(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap)
    with child("tests.libs.streaming.oversized_child", [kafka_bootstrap, topic], tmp_path) as process:
        assert await process.ended() == 70
        assert process.lines() == []


async def test_an_absent_broker_is_one_clear_sentence() -> None:
    with pytest.raises(UnreachableError, match="Kafka does not answer"):
        await EventProducer("127.0.0.1:1", service="test").start()
