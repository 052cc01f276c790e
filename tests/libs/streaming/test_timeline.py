"""A reader that starts anywhere in the timeline sees what a reader from the beginning sees, whatever dead owners append."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import Encoded, encode
from libs.contracts.event import Event
from libs.contracts.market import AggTradeFrame, SymbolSlice, TradesBootstrapped
from libs.contracts.timeline import (
    HEADER_EFFECTIVE_AT,
    HEADER_EPOCH,
    HEADER_SOURCE,
    TimelineFenced,
    TimelineGate,
    TimelineHeartbeat,
)
from libs.contracts.topics import AGGTRADE, TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record
from libs.streaming.timeline import Tail, TimelineCursor, accepted, prime_cursor
from tests.libs.streaming.broker import fail

BURST = 3


def frame(epoch: int, first_id: int, rows: int) -> AggTradeFrame:
    ids = np.arange(first_id, first_id + rows, dtype="<i8").tobytes()
    return AggTradeFrame(
        event_id=f"trade_ingest/0:{epoch}:{first_id}",
        event_time_ms=first_id,
        partition=0,
        producer="trade_ingest/0",
        epoch=epoch,
        sequence=first_id,
        received_us=0,
        slices=(SymbolSlice("BTCUSDT", 2, 3, rows, first_id, first_id + rows - 1, first_id),),
        symbol_index=np.zeros(rows, "<u2").tobytes(),
        agg_id=ids,
        price=ids,
        quantity=ids,
        first_trade_id=ids,
        last_trade_id=ids,
        trade_time=ids,
        buyer_is_maker=bytes(rows),
    )


@dataclass
class Log:
    """A timeline partition in the making: the owner, owners that were fenced out, and the state of a complete reader."""

    records: list[Record] = field(default_factory=list)
    states: list[TimelineCursor] = field(default_factory=lambda: [TimelineCursor()])
    epoch: int = 0
    dead: list[tuple[int, TimelineCursor]] = field(default_factory=list)
    source: int = 0
    next_id: int = 0
    frame_epoch: int = 0

    @property
    def truth(self) -> TimelineCursor:
        return self.states[-1]

    def append(self, event: Event, extra: Sequence[tuple[str, bytes]] = (), value: bytes | None = None) -> None:
        encoded = encode(event)
        headers = dict([*encoded.headers, *extra])
        at = len(self.records)  # also the time of its append, ms
        record = Record(TIMELINE.name, 0, at, b"0", encoded.value if value is None else value, headers, at)
        state = copy_of(self.truth)
        list(accepted([record], state, []))
        self.records.append(record)
        self.states.append(state)

    def copy(self, event: Event, epoch: int, offset: int, value: bytes | None = None) -> None:
        source = f"{AGGTRADE.name}:0:{offset}".encode()
        extra = [(HEADER_SOURCE, source), (HEADER_EPOCH, str(epoch).encode()), (HEADER_EFFECTIVE_AT, b"-1")]
        self.append(event, extra, value)

    def heartbeat(self, epoch: int, state: TimelineCursor) -> None:
        self.append(
            TimelineHeartbeat(
                event_id=f"h{epoch}",
                event_time_ms=0,
                partition=0,
                epoch=epoch,
                positions=dict(state.gate.positions),
                watermarks={},
                frame_epochs=dict(state.frames.epochs),
                last_ids=dict(state.frames.last_ids),
            )
        )

    def take_over(self, stale: bool) -> None:
        """A new owner fences; `stale` lets a second one come too late with the same epoch."""
        if self.epoch:
            self.dead.append((self.epoch, copy_of(self.truth)))
        self.epoch += 1
        for owner in ["new", "late"][: 1 + stale]:
            self.append(TimelineFenced(event_id=owner, event_time_ms=0, partition=0, epoch=self.epoch, owner=owner))

    def haunt(self, which: int, shapes: Sequence[bool]) -> None:
        """A dead owner flushes what it still had: copies and heartbeats of its old state; then the owner goes on."""
        if self.dead:
            epoch, state = self.dead[which % len(self.dead)]
            for number, is_heartbeat in enumerate(shapes[:BURST]):
                if is_heartbeat:
                    self.heartbeat(epoch, state)
                else:
                    self.copy(frame(self.frame_epoch, self.next_id + number, 2), epoch, self.source + number)
            self.frames(1, 1)

    def frames(self, rows: int, back: int) -> None:
        """The owner copies a frame, perhaps with rows that were there before."""
        first = max(0, self.next_id - back)
        self.source += 1
        self.copy(frame(self.frame_epoch, first, rows + self.next_id - first), self.epoch, self.source)
        self.next_id += rows


def copy_of(cursor: TimelineCursor) -> TimelineCursor:
    copy = TimelineCursor(TimelineGate(cursor.gate.epoch, dict(cursor.gate.positions)))
    copy.frames.epochs, copy.frames.last_ids = dict(cursor.frames.epochs), dict(cursor.frames.last_ids)
    return copy


def state_of(cursor: TimelineCursor) -> tuple[object, ...]:
    return cursor.gate.epoch, cursor.gate.positions, cursor.frames.epochs, cursor.frames.last_ids


def tail_of(records: Sequence[Record]) -> Tail:
    tail = Tail()
    for record in records:
        tail.add(record)
    return tail


Operations = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.integers(1, 3), st.integers(0, 4)),
        st.tuples(st.just("again"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("restart"), st.booleans(), st.just(0)),
        st.tuples(st.just("heartbeat"), st.just(0), st.just(0)),
        st.tuples(st.just("garbage"), st.just(0), st.just(0)),
        st.tuples(st.just("take_over"), st.booleans(), st.just(0)),
        st.tuples(st.just("haunt"), st.integers(0, 5), st.lists(st.booleans(), min_size=1, max_size=BURST)),
    ),
    max_size=40,
)


def build(operations: Sequence[tuple[str, int, object]]) -> Log:
    log = Log()
    log.take_over(stale=False)
    for name, first, second in operations:
        if name == "frames":
            log.frames(first, int(second))  # type: ignore[call-overload]
        elif name == "again":
            log.copy(frame(log.frame_epoch, log.next_id, 1), log.epoch, max(0, log.source - first))
        elif name == "restart":
            bootstrap = TradesBootstrapped(
                event_id="b",
                event_time_ms=0,
                symbol="BTCUSDT",
                price_decimals=2,
                quantity_decimals=3,
                producer="trade_ingest/0",
                epoch=log.frame_epoch + first,
                minute_bars=b"",
                candle_bars=b"",
            )
            log.frame_epoch += first
            log.source += 1
            log.copy(bootstrap, log.epoch, log.source)
        elif name == "heartbeat":
            log.heartbeat(log.epoch, log.truth)
        elif name == "garbage":
            log.source += 1
            log.copy(frame(log.frame_epoch, log.next_id, 1), log.epoch, log.source, value=b"\xc1")
        elif name == "take_over":
            log.take_over(bool(first))
        elif isinstance(second, list):
            log.haunt(first, second)
    return log


@settings(max_examples=300, deadline=None)
@given(operations=Operations, data=st.data())
def test_cursors_primed_anywhere_equal_cursors_fed_from_the_beginning(
    operations: list[tuple[str, int, object]], data: st.DataObject
) -> None:
    log = build(operations)
    at = data.draw(st.integers(0, len(log.records)), label="at")
    start = data.draw(st.integers(0, at), label="start")
    tail = tail_of(log.records[start:at])
    if not tail.settled(BURST):
        tail = tail_of(log.records[:at])
    primed = TimelineCursor()
    list(accepted(tail.records, primed, []))
    assert state_of(primed) == state_of(log.states[at])
    rest = [taken.record.offset for taken in accepted(log.records[at:], primed, [])]
    from_beginning = [taken.record.offset for taken in accepted(log.records, TimelineCursor(), [])]
    assert rest == [offset for offset in from_beginning if offset >= at]


def test_a_dead_owners_heartbeat_is_not_believed() -> None:
    log = Log()
    log.take_over(stale=False)
    log.frames(2, 0)
    log.heartbeat(1, log.truth)
    log.take_over(stale=False)
    log.frames(2, 0)
    log.haunt(0, [True])
    assert tail_of(log.records).records[0].offset == 2


def test_rows_seen_before_and_frames_of_a_dead_producer_do_not_count() -> None:
    log = Log()
    log.take_over(stale=False)
    log.frames(3, 0)
    log.frames(2, 2)
    log.frame_epoch = 5
    log.frames(1, 0)
    log.frame_epoch = 4
    log.frames(1, 0)
    taken = [item for item in accepted(log.records, TimelineCursor()) if item.columns is not None]
    assert [list(item.columns.agg_id) for item in taken if item.columns is not None] == [[0, 1, 2], [3, 4], [5]]
    assert [item.source.offset for item in taken if item.source is not None] == [1, 2, 3]


def test_what_cannot_be_read_is_reported_once_and_reading_goes_on() -> None:
    log = build([("frames", 2, 0), ("garbage", 0, 0), ("frames", 1, 0)])
    refused: list[Record] = []
    taken = list(accepted(log.records, TimelineCursor(), refused))
    assert [record.offset for record in refused] == [2]
    assert taken[-1].record.offset == 3
    with pytest.raises(BadMessage, match="undecodable"):
        list(accepted(log.records, TimelineCursor()))


@pytest.mark.integration
async def test_priming_from_a_real_partition_reads_back_to_a_heartbeat(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, market_partitions=1)
    log = build(
        [("frames", 2, 1), ("heartbeat", 0, 0), ("frames", 3, 2), ("take_over", 1, 0), ("haunt", 0, [True, False])]
    )
    for _ in range(60):
        log.frames(1, 2)
    log.heartbeat(log.epoch, log.truth)
    log.frames(2, 0)
    producer = EventProducer(empty_kafka, service="test", on_failure=fail)
    await producer.start()
    for record in log.records:
        encoded = Encoded(record.value or b"", list(record.headers.items()))
        await producer.send_encoded(TIMELINE.name, encoded, key=record.key, partition=0)
    await producer.stop()

    for at in (0, 1, 5, len(log.records) - 1, len(log.records)):
        assert state_of((await prime_cursor(empty_kafka, 0, at))[0]) == state_of(log.states[at])
