"""The shell around one partition's core: take it, copy its sources with a heartbeat a second, leave it when fenced out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from libs.contracts.codec import encode
from libs.contracts.event import Event
from libs.contracts.timeline import TimelineFenced
from libs.contracts.topics import AGGTRADE, STRATEGY_CONTROL, TIMELINE
from libs.kit.clock import SystemClock
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from libs.streaming.deadletter import DeadLetters
from libs.streaming.follower import Follower
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import own_event
from services.sequencer.core import SequencerCore
from services.sequencer.takeover import TimelineLog, source_starts, take

HEARTBEAT_SECONDS = 1.0
# Trade frames are awaited by a long poll of their own, which the broker answers at once; the rest may share a slower one.
_HOT_WAIT_MS, _SLOW_WAIT_MS = 500, 100
_REPORTING_PARTITION = 0


class FencedOut(Exception):
    """Another owner's fence stands in the log above ours."""


@dataclass(frozen=True, slots=True)
class OwnerParts:
    """What the owners of one process share."""

    bootstrap: str
    market_partitions: int
    producer: EventProducer
    dead_letters: DeadLetters
    name: str


@dataclass(slots=True)
class LogWatch:
    """Finds other people's records without reading the log back: our acknowledged offsets have gaps where they stand."""

    expected: int
    gaps: list[tuple[int, int]] = field(default_factory=list)
    found: asyncio.Event = field(default_factory=asyncio.Event)

    def acknowledge(self, future: "asyncio.Future[int]") -> None:
        """Take note of one delivery; failures end the process elsewhere."""
        if future.cancelled() or future.exception() is not None:
            return
        offset = future.result()
        if offset > self.expected:
            self.gaps.append((self.expected, offset))
            self.found.set()
        self.expected = max(self.expected, offset + 1)


class PartitionOwner:
    """Owns one timeline partition from `take` until it is fenced out or stopped."""

    def __init__(self, parts: OwnerParts, partition: int) -> None:
        self._parts, self.partition = parts, partition
        self._order = asyncio.Lock()
        self._clock = SystemClock()
        self._logger = get_logger("sequencer").bind(partition=partition)
        self._core = SequencerCore(partition, parts.market_partitions)
        self._watch = LogWatch(0)

    async def run(self, on_owned: Callable[[], Awaitable[None]]) -> None:
        """Take the partition and sequence it until cancelled; raises `FencedOut` when somebody else took it."""
        started = time.monotonic()
        core = SequencerCore(self.partition, self._parts.market_partitions)
        async with LogReader(self._parts.bootstrap) as reader:
            position = await take(TimelineLog(reader, self.partition), core, self._append_event, self._parts.name)
            starts = await source_starts(reader, core)
        self._core, self._watch = core, LogWatch(position)
        seconds = round(time.monotonic() - started, 3)
        gauge("perpstream_recovery_seconds").labels("sequencer").set(seconds)
        self._logger.info("partition taken", epoch=core.gate.epoch, offset=position, after_seconds=seconds)
        hot = {place: offset for place, offset in starts.items() if place[0] == AGGTRADE.name}
        slow = {place: offset for place, offset in starts.items() if place[0] != AGGTRADE.name}
        jobs = [
            asyncio.create_task(self._heartbeats()),
            asyncio.create_task(self._look_at_gaps()),
            asyncio.create_task(self._follow_sources(hot, _HOT_WAIT_MS)),
            asyncio.create_task(self._follow_sources(slow, _SLOW_WAIT_MS)),
        ]
        try:
            await on_owned()
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
            for job in done:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _append_event(self, event: Event) -> int:
        encoded = encode(event, observed_at_ms=self._clock.now_ms())
        future = await self._parts.producer.send_encoded(
            TIMELINE.name, encoded, key=self._key, partition=self.partition
        )
        return await future

    @property
    def _key(self) -> bytes:
        return str(self.partition).encode()

    async def _follow_sources(self, starts: dict[tuple[str, int], int], wait_ms: int) -> None:
        follower = Follower(self._parts.bootstrap, starts, max_wait_ms=wait_ms)
        await follower.start()
        try:
            while True:
                records = await follower.fetch()
                if records:
                    await self._copy(records)
        finally:
            with suppress(Exception):
                await follower.stop()

    async def _copy(self, records: Sequence[Record]) -> None:
        """Append copies in order. The lock makes deciding and appending one step, so that `effective-at` fits its place."""
        send, key, partition = self._parts.producer.send_encoded, self._key, self.partition
        async with self._order:
            for record in records:
                try:
                    encoded = self._core.copy(record)
                except BadMessage as problem:
                    if self._reports(record):
                        await self._parts.dead_letters.put(record, problem)
                    continue
                if encoded is None:
                    continue
                future = await send(TIMELINE.name, encoded, key=key, partition=partition)
                future.add_done_callback(self._watch.acknowledge)

    def _reports(self, record: Record) -> bool:
        """Every owner reads the topic of strategies and finds the same fault in it: one of them puts the record aside."""
        return record.topic != STRATEGY_CONTROL.name or self.partition == _REPORTING_PARTITION

    async def _heartbeats(self) -> None:
        number = 0
        while True:
            async with self._order:
                encoded = encode(self._core.heartbeat(number), observed_at_ms=self._clock.now_ms())
                future = await self._parts.producer.send_encoded(
                    TIMELINE.name, encoded, key=self._key, partition=self.partition
                )
                future.add_done_callback(self._watch.acknowledge)
            number += 1
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _look_at_gaps(self) -> None:
        while True:
            await self._watch.found.wait()
            self._watch.found.clear()
            gaps, self._watch.gaps = self._watch.gaps, []
            async with LogReader(self._parts.bootstrap) as reader:
                for start, end in gaps:
                    async for record in TimelineLog(reader, self.partition).read(start, end):
                        self._check_fence(record)

    def _check_fence(self, record: Record) -> None:
        with suppress(BadMessage):
            event = own_event(record)
            if isinstance(event, TimelineFenced) and event.epoch > self._core.gate.epoch:
                self._logger.warning("fenced out", by=event.owner, epoch=event.epoch)
                raise FencedOut(event.owner)


async def wait_for_silence(bootstrap: str, partition: int, seconds: float) -> None:
    """Return once the partition's log has not grown for `seconds`: an owner alive appends a heartbeat a second."""
    async with LogReader(bootstrap) as reader:
        log = TimelineLog(reader, partition)
        end, since = await log.end(), time.monotonic()
        while time.monotonic() - since < seconds:
            await asyncio.sleep(min(seconds / 5, HEARTBEAT_SECONDS))
            now = await log.end()
            if now != end:
                end, since = now, time.monotonic()
