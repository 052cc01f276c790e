"""What the topic's end says, read the way every reader reads it."""

import msgspec
import pytest

from libs.contracts.timeline import TimelineHeartbeat
from libs.contracts.topics import AGGTRADE, TIMELINE
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from services.trade_ingest.assembler import Assembler, AssemblerOptions, Resume
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.resume import TopicState, read_topic_state
from tests.fakes.instruments import instrument
from tests.services.trade_ingest.test_assembler import START, SYMBOL, trade

PRODUCER = "trade_ingest/0"


def frames(epoch: int, first: int, last: int) -> Assembler:
    """An assembler that took the ids, one frame each."""
    resume = {SYMBOL: Resume(first - 1, START, START - 1)}
    core = Assembler([instrument()], resume, Origin(PRODUCER, epoch), AssemblerOptions(1, rows_per_frame=1))
    core.take([trade(number, START + number) for number in range(first, last + 1)], 1)
    return core


def heartbeat_behind_the_third(watermarks: dict[str, int], last_ids: dict[str, int]) -> TimelineHeartbeat:
    """A heartbeat that holds the first three records of partition 0."""
    return TimelineHeartbeat(
        event_id="h",
        event_time_ms=START,
        partition=0,
        epoch=1,
        positions={f"{AGGTRADE.name}:0": 2},
        watermarks=watermarks,
        frame_epochs={PRODUCER: 1},
        last_ids=last_ids,
    )


@pytest.mark.integration
async def test_each_partition_is_resumed_by_its_own_epochs_and_heartbeat(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 2)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    heartbeat = heartbeat_behind_the_third({SYMBOL: START + 2}, {SYMBOL: 3})
    for frame in frames(1, 1, 6).drain():
        await producer.send(AGGTRADE, frame, key="0", partition=0)
    await producer.send(TIMELINE, heartbeat, key="0", partition=0)
    quiet = Assembler(
        [instrument("ETHUSDT")], {"ETHUSDT": Resume(8, START, START)}, Origin(PRODUCER, 0), AssemblerOptions(1)
    )
    quiet.take([trade(9, START + 9, "ETHUSDT")], 1)
    quiet.flush()
    for frame in quiet.drain():
        await producer.send(AGGTRADE, frame, key="1", partition=1)
    await producer.stop()
    state = await read_topic_state(empty_kafka, {0: [SYMBOL], 1: ["ETHUSDT"]})
    assert state.resume(SYMBOL) == Resume(6, START + 6, START + 5)
    assert state.resume("ETHUSDT") == Resume(9, START + 9, START + 8), (
        "epoch 1 of partition 0 does not make epoch 0 stale"
    )
    assert state.gate.epochs == {PRODUCER: 1}
    assert state.resume("SOLUSDT") == Resume()


@pytest.mark.integration
async def test_holes_are_known_although_a_heartbeat_stands_behind_them(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    core = frames(1, 1, 3)
    core.take([trade(9, START + 9)], 2)
    core.abandon(SYMBOL, "rate_limited", 3)
    for frame in core.drain():
        await producer.send(AGGTRADE, frame, key="0", partition=0)
    heartbeat = msgspec.structs.replace(
        heartbeat_behind_the_third({SYMBOL: START + 8}, {SYMBOL: 9}), positions={f"{AGGTRADE.name}:0": 3}
    )
    await producer.send(TIMELINE, heartbeat, key="0", partition=0)
    await producer.stop()
    state = await read_topic_state(empty_kafka, {0: [SYMBOL]})
    assert [(hole.first_missing_id, hole.last_missing_id) for hole in state.holes[SYMBOL]] == [(4, 8)]


@pytest.mark.integration
async def test_when_the_last_trade_was_is_known_although_the_heartbeat_stands_behind_it(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    heartbeat = heartbeat_behind_the_third({SYMBOL: START + 2, "ETHUSDT": START + 1}, {SYMBOL: 3, "ETHUSDT": 77})
    for frame in frames(1, 1, 3).drain():
        await producer.send(AGGTRADE, frame, key="0", partition=0)
    await producer.send(TIMELINE, heartbeat, key="0", partition=0)
    await producer.stop()
    state = await read_topic_state(empty_kafka, {0: [SYMBOL, "ETHUSDT"]})
    assert state.resume(SYMBOL) == Resume(3, START + 3, START + 2)
    assert state.resume("ETHUSDT") == Resume(77, START + 1, START + 1), "nothing is missing up to its watermark"


def test_a_symbol_with_bars_but_no_row_goes_on_where_the_bars_end() -> None:
    state = TopicState()
    assert state.rows_begin(SYMBOL) is None
    state.bootstrapped[SYMBOL] = 120_000
    assert state.rows_begin(SYMBOL) == 120_000
    state.watermarks[SYMBOL] = 130_999
    assert state.rows_begin(SYMBOL) == 131_000
