"""Bringing a partition's state to the end of the log: snapshot, what is already on the output topic, and a replay."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import libs.contracts
import libs.indicators
import libs.trading
import services.signal_engine
from libs.contracts.codec import HEADER_SCHEMA, decode_as
from libs.contracts.frames import holes_of
from libs.contracts.market import AggTradeFrame
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import SIGNAL_INDICATOR, TIMELINE
from libs.indicators.settings import KernelSettings
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.kit.sources import source_digest
from libs.streaming.aged_out import aged_out
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import Accepted, TimelineCursor, accepted, tail_before
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load

_SCHEMA = IndicatorComputed.SCHEMA.encode()
_FIRST_SPAN, _LONGEST_SPAN = 1_000, 64_000
_LOGGER = get_logger("recovery")


class KeptState(Protocol):
    """A state and the offset of the first record that is not in it."""

    @property
    def next_offset(self) -> int: ...
    @property
    def state(self) -> bytes: ...


class Snapshots(Protocol):
    """Where states are kept so that every worker can read them; see `services.signal_engine.app` for the database."""

    async def load(self, partition: int) -> KeptState | None: ...
    async def save(self, partition: int, next_offset: int, state: bytes) -> None: ...


def code_version(settings: KernelSettings) -> str:
    """A digest of everything that decides what a state means: the code of the pure parts, ours, and the kernel's lengths."""
    return source_digest((libs.contracts, libs.indicators, libs.trading, services.signal_engine), settings)


LEFT_TO_THE_STREAM = 200
"""Records that a recovery need not chase: a live log grows while it is read, and the stream closes such a gap by itself."""

Emit = Callable[[int, EngineCore, Sequence[Record]], Awaitable[None]]
"""Takes a partition's records through its core and hands the outputs over."""


@dataclass(frozen=True, slots=True)
class RecoveryParts:
    """What recovery reads from."""

    bootstrap: str
    settings: KernelSettings
    snapshots: Snapshots


async def recover(parts: RecoveryParts, partition: int, emit: Emit, parked: EngineCore | None = None) -> EngineCore:
    """The partition's state close to the log's end; evaluations that nobody has seen yet go out by `emit` on the way.

    `parked` is this process's own state from before a rebalance, if it had the partition.
    """
    started = time.monotonic()
    core = parked or await _restored(parts, partition)
    kept = core.next_offset
    async with LogReader(parts.bootstrap) as log:
        if kept < (beginning := await log.beginning(TIMELINE.name, partition)):
            core.begin_with(await aged_out(log, partition, core.cursor), partition, beginning)
        core.silent_until = await last_evaluations(log, partition, set(core.engine.kernel.symbols.names))
        left = 0
        while (end := await log.end(TIMELINE.name, partition)) - core.next_offset > left:
            before = core.next_offset
            async for batch in log.range(TIMELINE.name, partition, before, end):
                await emit(partition, core, batch)
            if core.next_offset == before:
                break
            left = LEFT_TO_THE_STREAM
    _LOGGER.info(
        "partition recovered",
        partition=partition,
        snapshot_offset=kept,
        offset=core.next_offset,
        symbols=len(core.silent_until),
        after_seconds=round(time.monotonic() - started, 3),
    )
    return core


async def _restored(parts: RecoveryParts, partition: int) -> EngineCore:
    try:
        kept = await parts.snapshots.load(partition)
        if kept is not None:
            return load(kept.state, parts.settings, kept.next_offset)
    except (ValueError, UserError) as problem:
        _LOGGER.warning("no snapshot: replaying from the beginning", partition=partition, why=str(problem))
    return EngineCore(parts.settings)


@dataclass(slots=True)
class _Claims:
    """What stands on the output topic: the newest evaluation of each symbol, and records that no timeline up to here gave."""

    released_until: dict[str, int]
    newest: dict[str, int] = field(default_factory=dict)
    ahead: list[IndicatorComputed] = field(default_factory=list)

    def note(self, record: Record) -> None:
        """Take one record of the topic; what is no indicator says nothing."""
        try:
            event = decode_as(IndicatorComputed, record.value)
        except BadMessage:
            return
        if event.event_time_ms > self.released_until.get(event.symbol, -1):
            self.ahead.append(event)
            return
        self.newest[event.symbol] = max(self.newest.get(event.symbol, -1), event.event_time_ms)


async def last_evaluations(log: LogReader, partition: int, expected: set[str]) -> dict[str, int]:
    """The newest evaluation (ms) of each symbol on the output topic, from its tail.

    Reads further back while an expected symbol is missing, up to a bound: an evaluation that is emitted again has the same
    id and the same bytes, so a bound costs duplicates at worst. An evaluation that the timeline cannot have released by its
    end is nobody's output, and would silence its symbol until the trades have come there: it is counted and says nothing.
    """
    end, beginning = await _ends(log, partition)
    # The timeline's end is asked for after the output's: what honest engines wrote lies below it.
    released = await released_until(log, partition)
    span = _FIRST_SPAN
    while True:
        start = max(beginning, end - span)
        claims = _Claims(released)
        async for record in _records(log, partition, start, end):
            if record.headers.get(HEADER_SCHEMA) == _SCHEMA:
                claims.note(record)
        if start == beginning or span >= _LONGEST_SPAN or expected <= claims.newest.keys():
            _tell_ahead(partition, claims.ahead)
            return claims.newest
        span *= 4


def _tell_ahead(partition: int, ahead: Sequence[IndicatorComputed]) -> None:
    if ahead:
        counter("perpstream_records_dropped_total").labels(SIGNAL_INDICATOR.name, "ahead_of_timeline").inc(len(ahead))
        ids = [event.event_id for event in ahead]
        _LOGGER.warning("evaluations ahead of the timeline ignored", partition=partition, ids=ids[:5], count=len(ids))


async def released_until(log: LogReader, partition: int) -> dict[str, int]:
    """How far (ms) the timeline, up to its end, can have moved each symbol: no later evaluation can have been released."""
    tail = await tail_before(log, partition, await log.end(TIMELINE.name, partition))
    reached = dict(tail.heartbeat.watermarks) if tail.heartbeat is not None else {}
    for taken in accepted(tail.records, TimelineCursor(), []):
        if isinstance(taken.event, AggTradeFrame):
            for symbol, time_ms in _reached_by(taken.event, taken):
                reached[symbol] = max(reached.get(symbol, -1), time_ms)
    return reached


def _reached_by(frame: AggTradeFrame, taken: Accepted) -> Iterator[tuple[str, int]]:
    """Watermarks, holes and trades move a symbol on, and each of them releases what lies before it."""
    assert taken.columns is not None
    for index, part in enumerate(frame.slices):
        mine = taken.columns.time[taken.columns.symbol_index == index]
        yield part.symbol, max(part.watermark_ms, int(mine.max(initial=-1)))
        yield from ((part.symbol, hole.to_ms) for hole in holes_of(frame, part.symbol))


async def _ends(log: LogReader, partition: int) -> tuple[int, int]:
    topic = SIGNAL_INDICATOR.name
    return await log.end(topic, partition), await log.beginning(topic, partition)


async def _records(log: LogReader, partition: int, start: int, end: int) -> AsyncIterator[Record]:
    async for batch in log.range(SIGNAL_INDICATOR.name, partition, start, end):
        for record in batch:
            yield record


def state_of(core: EngineCore) -> tuple[int, bytes]:
    """What a snapshot keeps of a partition."""
    return core.next_offset, dump(core)
