"""Consumers whose positions live in PostgreSQL: rows and offset in one transaction, moved by compare-and-set (rule 6).

The group protocol of Kafka only suggests who reads what. Who may write is decided by the compare-and-set of the position,
inside the handler's transaction: a zombie's update touches no row, its transaction rolls back, and every record's rows are
written exactly once, whatever is killed or paused.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from libs.kit.errors import BadMessage, OffsetConflict, TryAgain, UserError
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.streaming.connection import unreachable
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record, log_generations, record_of

_POLL_MS = 500
# The broker collects for us too, up to so many bytes or ms: an answer for each record would cost both sides more than its rows.
_FETCH_BYTES, _FETCH_WAIT_MS = 65_536, 100
_REPORT_SECONDS = 1.0
_CLOSE_SECONDS = 3.0


class OffsetStore(Protocol):
    """The reading half of the positions; `libs.store.offsets` implements it."""

    async def load(self, group: str, topic: str, partition: int, generation: str) -> int | None:
        """The next offset to read, or None when this group never read this incarnation of the log."""
        ...


class Commit(NamedTuple):
    """The position's move that belongs to a batch. The handler carries it out inside its transaction, before its rows.

    `old` None: this group has no position in this incarnation of the log yet. `new` is the next offset to read.
    """

    group: str
    topic: str
    partition: int
    generation: str
    old: int | None
    new: int

    @property
    def log(self) -> tuple[str, str, int, str]:
        """Group, topic, partition and generation: the key of the position."""
        return self[:4]


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Consecutive records of one partition. Empty after a record was dead-lettered: then only the position moves."""

    topic: str
    partition: int
    records: Sequence[Record]


Handler = Callable[[PartitionBatch, Commit], Awaitable[None]]
"""Writes the batch's rows and the position in one transaction, or nothing at all.

Raises `BadMessage`: the batch is halved until the bad record stands alone, which goes to the dead-letter topic.
Raises `TryAgain`: the same batch comes again after a while. Raises `OffsetConflict`: see `libs.kit.errors`. Anything else
ends the process. A handler that keeps state in memory must therefore change it only after its transaction, or dead-letter
bad records itself.
"""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """`collect_ms`: how long records are gathered for one transaction; `max_records`: when that is cut short.
    `instance_id`: static membership, so that a restart within the session takes its partitions back without a rebalance."""

    instance_id: str | None = None
    session_timeout_ms: int = 10_000
    collect_ms: int = 200
    max_records: int = 2000
    longest_pause_seconds: float = 30.0


class _Abandoned(Exception):
    """The batch is no longer ours, or we are leaving: nothing was written, nobody has to know."""


@dataclass(slots=True)
class _Position:
    stored: int | None
    next: int


def _lost_records(place: TopicPartition, end: int, group: str, read: int, bootstrap: str) -> UserError:
    return UserError(
        f"{place.topic}:{place.partition} ends at {end}, but {group} has read up to {read}",
        where=bootstrap,
        todo="the broker has lost records: restore its data, or recreate the topic",
    )


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, owner: "BatchConsumer") -> None:
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._owner._release()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._owner._take(list(assigned))


@dataclass(slots=True)
class BatchConsumer:
    """A member of `group` that reads `topics` and hands batches of one partition to `handler`, in order, one at a time.

    On assignment it goes on at the stored position of this incarnation of the log, or at the log's beginning. Kafka is told
    the position once a second, for lag tools only. `waiting_for` says why the batch in hand is tried again, while it is.
    """

    bootstrap: str
    group: str
    topics: Sequence[str]
    offsets: OffsetStore
    handler: Handler
    options: ConsumerOptions = field(default_factory=ConsumerOptions)
    assigned: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    waiting_for: str | None = field(default=None, init=False)
    _consumer: AIOKafkaConsumer | None = field(default=None, init=False)
    _positions: dict[TopicPartition, _Position] = field(default_factory=dict, init=False)
    _generations: dict[str, str] = field(default_factory=dict, init=False)
    _busy: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _assignments: int = field(default=0, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _producer: EventProducer | None = field(default=None, init=False)
    _reported_at: float = field(default=0.0, init=False)
    _telling: asyncio.Future[None] | None = field(default=None, init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish the batch in hand and leave the group.

        Raises `UnreachableError` when no broker answers at the start, `UserError` when a topic does not exist, and whatever
        the handler raises that is not its to raise: the process should end then. A broker that goes away later is waited for.
        """
        self._stopping = stopping
        self._generations = await log_generations(self.bootstrap, list(self.topics))
        consumer = await self._connect()
        try:
            while not stopping.is_set():
                await self._work(consumer, *await self._collect(consumer))
        finally:
            await self._close(consumer)

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read of each partition that is ours now."""
        return {(place.topic, place.partition): position.next for place, position in self._positions.items()}

    async def _connect(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            client_id=self.group,
            group_id=self.group,
            group_instance_id=self.options.instance_id,
            enable_auto_commit=False,
            # Used between an assignment and our seek, and when retention has overtaken us; see _check_order and _take.
            auto_offset_reset="earliest",
            fetch_min_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            session_timeout_ms=self.options.session_timeout_ms,
            heartbeat_interval_ms=self.options.session_timeout_ms // 5,
        )
        self._consumer = consumer
        consumer.subscribe(list(self.topics), listener=_Rebalance(self))
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise unreachable(self.bootstrap, error) from None
        return consumer

    async def _collect(self, consumer: AIOKafkaConsumer) -> tuple[int, dict[TopicPartition, list[Record]]]:
        """Records by partition, with the number of the assignment under which they were fetched: whatever comes within
        `collect_ms` of the first, at most about `max_records` of them."""
        collected: dict[TopicPartition, list[Record]] = {}
        count, until, assignment = 0, None, self._assignments
        while not self._stopping.is_set() and count < self.options.max_records:
            left = _POLL_MS if until is None else int((until - time.monotonic()) * 1000)
            if left <= 0:
                break
            messages = await consumer.getmany(timeout_ms=left, max_records=self.options.max_records - count)
            if self._failure is not None:
                raise self._failure
            for place, part in messages.items():
                # Under another assignment they may come from Kafka's own idea of our position: read again from ours.
                if assignment == self._assignments and place in self._positions:
                    records = collected.setdefault(place, [])
                    await self._check_order(consumer, place, records, part[0].offset)
                    records.extend(record_of(message) for message in part)
                    count += len(part)
            if assignment != self._assignments:
                self._seek_back(consumer)
                break
            if until is None and count:
                until = time.monotonic() + self.options.collect_ms / 1000
            elif until is None:
                self._report(consumer)
        return assignment, collected

    async def _check_order(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, records: Sequence[Record], first: int
    ) -> None:
        """A log never runs backwards; where it jumps ahead, say so unless compaction explains it."""
        expected = records[-1].offset + 1 if records else self._positions[place].next
        if first < expected:
            raise _lost_records(place, first, self.group, expected, self.bootstrap)
        if first > expected and int((await consumer.beginning_offsets([place]))[place]) > expected:
            get_logger("consumer").error("retention has deleted unread records", place=str(place), expected=expected)

    def _seek_back(self, consumer: AIOKafkaConsumer) -> None:
        for place, position in self._positions.items():
            if place in consumer.assignment():
                consumer.seek(place, position.next)

    async def _work(
        self, consumer: AIOKafkaConsumer, assignment: int, collected: dict[TopicPartition, list[Record]]
    ) -> None:
        for place, records in collected.items():
            async with self._busy:
                if assignment == self._assignments and records and not self._stopping.is_set():
                    with suppress(_Abandoned):
                        await self._deliver(place, self._positions[place], records)
        self._report(consumer)

    async def _deliver(self, place: TopicPartition, position: _Position, records: Sequence[Record]) -> None:
        try:
            await self._persist(place, position, records, records[-1].offset + 1)
        except BadMessage as error:
            if len(records) > 1:
                middle = len(records) // 2
                await self._deliver(place, position, records[:middle])
                await self._deliver(place, position, records[middle:])
                return
            await (await self._dead_letters()).put(records[0], error)
            await self._persist(place, position, (), records[0].offset + 1)

    async def _persist(self, place: TopicPartition, position: _Position, records: Sequence[Record], new: int) -> None:
        """Call the handler until it succeeds; then, and only then, our position moves."""
        if self._positions.get(place) is not position:
            raise _Abandoned
        generation = self._generations[place.topic]
        commit = Commit(self.group, place.topic, place.partition, generation, position.stored, new)
        try:
            await self._until_written(PartitionBatch(place.topic, place.partition, records), commit)
        except OffsetConflict:
            if self._leaving.is_set() or self._positions.get(place) is not position:
                get_logger("consumer").info("a revoked partition has a new owner", place=str(place))
                raise _Abandoned from None
            raise
        finally:
            self.waiting_for = None
        position.stored = position.next = new
        counter("perpstream_records_consumed_total").labels(place.topic).inc(len(records))

    async def _until_written(self, batch: PartitionBatch, commit: Commit) -> None:
        pause = 0.0
        while True:
            try:
                await self.handler(batch, commit)
                return
            except TryAgain as error:
                pause = min(max(error.after_seconds, pause * 2), self.options.longest_pause_seconds)
                place = f"{batch.topic}:{batch.partition}"
                get_logger("consumer").warning("trying again", place=place, why=error.detail, after_seconds=pause)
                self.waiting_for = error.detail
                await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the partitions are being taken away or the process is stopping: then give the batch up."""
        signals = [asyncio.ensure_future(event.wait()) for event in (self._leaving, self._stopping)]
        try:
            done, _ = await asyncio.wait(signals, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for signal in signals:
                signal.cancel()
        if done:
            raise _Abandoned

    async def _release(self) -> None:
        """Partitions are being taken away: let the batch in hand finish, for at most a session."""
        self._assignments += 1
        self._leaving.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._busy.acquire(), self.options.session_timeout_ms / 1000)
            self._busy.release()
        self._positions = {}
        self.assigned.clear()

    async def _take(self, assigned: list[TopicPartition]) -> None:
        """Stand at the stored positions. The client swallows what a listener raises, so it is kept for the main loop."""
        consumer = self._consumer
        if consumer is None:
            return
        counter("perpstream_rebalance_total").labels(self.group).inc()
        try:
            positions = {place: await self._stored(consumer, place) for place in assigned}
        except Exception as error:  # raised by the main loop
            self._failure = error
            return
        for place, position in positions.items():
            consumer.seek(place, position.next)
        self._positions = positions
        self._assignments += 1
        self._leaving.clear()
        self.assigned.set()
        get_logger("consumer").info(
            "assigned", group=self.group, positions={str(k): v.next for k, v in positions.items()}
        )

    async def _stored(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> _Position:
        stored = await self.offsets.load(self.group, place.topic, place.partition, self._generations[place.topic])
        beginning = int((await consumer.beginning_offsets([place]))[place])
        end = int((await consumer.end_offsets([place]))[place])
        if stored is None:
            return _Position(None, beginning)
        if stored > end:
            raise _lost_records(place, end, self.group, stored, self.bootstrap)
        if stored < beginning:
            get_logger("consumer").error(
                "retention has deleted unread records", place=str(place), stored=stored, beginning=beginning
            )
        return _Position(stored, max(stored, beginning))

    async def _dead_letters(self) -> DeadLetters:
        if self._producer is None:
            self._producer = EventProducer(self.bootstrap, service=self.group)
            await self._producer.start()
        return DeadLetters(self._producer, self.group)

    def _report(self, consumer: AIOKafkaConsumer) -> None:
        """Lag for our metrics, and the position for Kafka's lag tools, at most once a second."""
        if time.monotonic() - self._reported_at < _REPORT_SECONDS:
            return
        self._reported_at = time.monotonic()
        for place, position in self._positions.items():
            if place in consumer.assignment() and (end := consumer.highwater(place)) is not None:
                lag = gauge("perpstream_consumer_lag_records").labels(place.topic, str(place.partition))
                lag.set(max(0, end - position.next))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._commit_to_kafka(consumer))

    async def _commit_to_kafka(self, consumer: AIOKafkaConsumer) -> None:
        known = {place: p.next for place, p in self._positions.items() if place in consumer.assignment()}
        if known:
            with suppress(KafkaError):  # nobody depends on it; the next second tells the newer position
                await consumer.commit(known)

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        if self._telling is not None:
            self._telling.cancel()
        with suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(self._commit_to_kafka(consumer), _CLOSE_SECONDS)
        with suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(consumer.stop(), _CLOSE_SECONDS)
        if self._producer is not None:
            await self._producer.stop()
        self._consumer = None
