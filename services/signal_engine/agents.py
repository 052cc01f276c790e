"""The worker: partitions come with their state and leave with a snapshot; each record goes through the core to the topics."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.topics import TIMELINE
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.kit.service import ServiceContext
from libs.kit.tasks import run_all
from libs.streaming.deadletter import DeadLetters
from libs.streaming.records import LogReader, Record
from services.signal_engine.core import EngineCore, Outputs
from services.signal_engine.outbox import Outbox
from services.signal_engine.recovery import RecoveryParts, recover, state_of

_READY = "assigned and replayed"
FLOWING = "the timeline is being written"
# The timeline has a heartbeat a second.
_SILENT_SECONDS = 10.0
_LOGGER = get_logger("signal_engine")


@dataclass(slots=True)
class Worker:
    """The partitions this process has now. Everything runs in one task at a time, as Faust calls it."""

    context: ServiceContext
    outbox: Outbox
    dead_letters: DeadLetters
    parts: RecoveryParts
    cores: dict[int, EngineCore] = field(default_factory=dict)
    _parked: dict[int, EngineCore] = field(default_factory=dict)
    _heard: dict[int, float] = field(default_factory=dict)
    _handing_over: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Replay each partition, side by side, before its first record is processed."""
        self.context.miss(_READY, "replaying")
        started = time.monotonic()
        parked, self._parked = self._parked, {}
        found = await run_all(*(recover(self.parts, place, self.emit, parked.get(place)) for place in partitions))
        self.cores.update(zip(partitions, found, strict=True))
        gauge("perpstream_recovery_seconds").labels("signal_engine").set(time.monotonic() - started)
        self._heard = dict.fromkeys(partitions, time.monotonic())
        self.context.details["partitions"] = sorted(partitions)
        self.context.fulfil(_READY)

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Keep the states for whoever takes the partitions next."""
        self.context.miss(_READY, "partitions are being assigned")
        for partition in sorted(partitions):
            await self.keep(partition)
            if partition in self.cores:
                self._parked[partition] = self.cores.pop(partition)

    async def process(self, record: Record) -> None:
        """One record of the live log; what a replay has taken is skipped, what was never delivered is read first."""
        core = self.cores.get(record.partition)
        self._heard[record.partition] = time.monotonic()
        if core is None:
            return  # taken away while it waited in a queue; whoever has the partition now reads it
        if record.offset > core.next_offset:
            await self._catch_up(core, record)
        if record.offset >= core.next_offset:
            await self.emit(record.partition, core, (record,))

    async def emit(self, partition: int, core: EngineCore, records: Sequence[Record]) -> None:
        """Take records and hand over what they give. An indicator record is sent only once its signals are kept."""
        async with self._handing_over:
            out = core.process(records)
            for record, problem in out.refused:
                await self.dead_letters.put(record, problem)
            await self.outbox.put(partition, out.signals, out.indicators)
            await self.outbox.answer(out.answers)
        for symbol, what in out.left_out:
            counter("perpstream_outputs_left_out_total").labels(symbol, what).inc()
            _LOGGER.warning("left out: no reader could decode it", symbol=symbol, what=what)
        if out.evaluated or out.beat:
            _report(core, out)

    async def keep(self, partition: int) -> None:
        """Save a partition's state once its outputs are kept; without a database the next start replays more, nothing else."""
        core = self.cores.get(partition)
        if core is None:
            return
        async with self._handing_over:
            offset, state = state_of(core)
        await self.outbox.drained()
        try:
            await self.parts.snapshots.save(partition, offset, state)
        except Exception as problem:  # a lost snapshot costs time at the next start, never data
            _LOGGER.warning("snapshot not saved", partition=partition, why=str(problem))

    async def keep_all(self, every_seconds: float) -> None:
        """Save every partition's state once in `every_seconds`, their turns spread over it: a state may be megabytes."""
        while True:
            turns = sorted(self.cores)
            if not turns:
                await asyncio.sleep(every_seconds)
            for partition in turns:
                await asyncio.sleep(every_seconds / len(turns))
                await self.keep(partition)

    async def watch_flow(self) -> None:
        """Say once a second whether the timeline is heard; its heartbeats stop when sequencer or broker do. Never returns."""
        while True:
            heard = {partition: at for partition, at in self._heard.items() if partition in self.cores}
            if silent := silent_partitions(heard, time.monotonic()):
                self.context.miss(
                    FLOWING, f"nothing heard for {max(silent.values()):.0f} s from partitions {sorted(silent)}"
                )
            else:
                self.context.fulfil(FLOWING)
            await asyncio.sleep(1.0)

    async def _catch_up(self, core: EngineCore, record: Record) -> None:
        async with LogReader(self.parts.bootstrap) as log:
            async for batch in log.range(TIMELINE.name, record.partition, core.next_offset, record.offset):
                await self.emit(record.partition, core, batch)


def silent_partitions(heard: Mapping[int, float], now: float) -> dict[int, float]:
    """The seconds since a record came from partitions that have missed their heartbeats; all times monotonic seconds."""
    return {partition: now - at for partition, at in heard.items() if now - at > _SILENT_SECONDS}


def _report(core: EngineCore, out: Outputs) -> None:
    evaluations, signals = counter("perpstream_evaluations_total"), counter("perpstream_signals_total")
    for symbol in out.evaluated:
        evaluations.labels(symbol).inc()
    for count in out.counts:
        signals.labels(count.strategy, count.state).inc()
    if out.beat:
        coverage, age = gauge("perpstream_coverage_ratio"), gauge("perpstream_watermark_age_seconds")
        for symbol, row in core.newest.items():
            for window in row.windows:
                coverage.labels(symbol, window.window).set(window.coverage)
        for symbol, watermark in core.watermarks.items():
            age.labels(symbol).set((core.venue_ms - watermark) / 1000)
