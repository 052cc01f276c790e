"""Reading the timeline: which of its records count, from any place in it, the same for every reader.

A reader that starts in the middle needs the gates' state at that place. It takes them from a heartbeat before it and
applies what stands between; `TimelineCursor` is that pair of gates with the rule for one record.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from libs.contracts.codec import decode, schema_of
from libs.contracts.event import Event
from libs.contracts.frames import FrameGate, TradeColumns
from libs.contracts.market import AggTradeFrame, TradesBootstrapped
from libs.contracts.timeline import (
    HEADER_EPOCH,
    HEADER_SOURCE,
    Source,
    TimelineFenced,
    TimelineGate,
    TimelineHeartbeat,
    effective_at,
)
from libs.contracts.topics import TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader, Record

_CHUNK = 2000
# A fenced-out owner can still flush what it had buffered (EventProducer: 2000 records), heartbeats among it. A heartbeat is
# believed only when no higher epoch stands within this many records before it, which is more than one such burst.
BURST_RECORDS = 4000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A timeline record that counts. `columns`: the rows that count, for frames only (may be none). `effective_at_ms`: the
    symbol's watermark at its place, for copies of slow records. `source` is None for the sequencer's own records."""

    record: Record
    event: Event
    columns: TradeColumns | None
    source: Source | None
    effective_at_ms: int


@dataclass(slots=True)
class TimelineCursor:
    """Both gates of one timeline partition, and the rule by which a reader takes or drops a record, in log order."""

    gate: TimelineGate = field(default_factory=TimelineGate)
    frames: FrameGate = field(default_factory=FrameGate)

    def accept(self, record: Record) -> Accepted | None:
        """The record if it counts, None if it is a dead owner's, a duplicate or stale.

        Raises `BadMessage` for what cannot be read: dead-letter it and go on with the next record (the gates agree on that
        too). Do not offer the same record twice.
        """
        if schema_of(record.headers) in (TimelineFenced, TimelineHeartbeat):
            return self._accept_own(record)
        if not self.gate.accept(None, record.headers):
            return None
        event = decode(record.value, record.headers, TIMELINE.events)
        columns: TradeColumns | None = None
        if isinstance(event, AggTradeFrame):
            columns = self.frames.accept(event)
            if columns is None:
                return None
        elif isinstance(event, TradesBootstrapped) and not self.frames.admit_epoch(event.producer, event.epoch):
            return None
        source = Source.parse(record.headers[HEADER_SOURCE].decode())
        return Accepted(record, event, columns, source, effective_at(record.headers))

    def _accept_own(self, record: Record) -> Accepted | None:
        event = decode(record.value, record.headers, TIMELINE.events)
        if not self.gate.accept(event, record.headers):
            return None
        if isinstance(event, TimelineHeartbeat):
            # Nothing new for who read from the beginning; the whole state for who starts in a log that retention has cut.
            _raise_to(self.frames.epochs, event.frame_epochs)
            _raise_to(self.frames.last_ids, event.last_ids)
        return Accepted(record, event, None, None, -1)

    @classmethod
    def at(cls, heartbeat: TimelineHeartbeat) -> "TimelineCursor":
        """The state right after an accepted heartbeat."""
        gate = TimelineGate(heartbeat.epoch, dict(heartbeat.positions))
        return cls(gate, FrameGate(dict(heartbeat.frame_epochs), dict(heartbeat.last_ids)))


def _raise_to(known: dict[str, int], stated: dict[str, int]) -> None:
    for name, value in stated.items():
        known[name] = max(known.get(name, -1), value)


def accepted(
    records: Iterable[Record], cursor: TimelineCursor, refused: list[Record] | None = None
) -> Iterator[Accepted]:
    """The records that count, in order. Unreadable ones go to `refused` when given, else `BadMessage` is raised."""
    for record in records:
        try:
            taken = cursor.accept(record)
        except BadMessage:
            if refused is None:
                raise
            refused.append(record)
            continue
        if taken is not None:
            yield taken


def _epoch_claimed(record: Record) -> int:
    """The owner epoch that wrote the record; -1 when it does not say."""
    try:
        if schema_of(record.headers) in (TimelineFenced, TimelineHeartbeat):
            event = decode(record.value, record.headers, TIMELINE.events)
            return event.epoch if isinstance(event, TimelineFenced | TimelineHeartbeat) else -1
        return int(record.headers.get(HEADER_EPOCH, b"-1"))
    except (BadMessage, ValueError):
        return -1


def last_heartbeat(records: Sequence[Record]) -> tuple[int, TimelineHeartbeat] | None:
    """Index and content of the last believable heartbeat among consecutive records: none before it claims a higher epoch."""
    found: tuple[int, TimelineHeartbeat] | None = None
    highest = -1
    for index, record in enumerate(records):
        epoch = _epoch_claimed(record)
        if epoch >= highest and record.headers.get("schema") == TimelineHeartbeat.SCHEMA.encode():
            event = decode(record.value, record.headers, TIMELINE.events)
            if isinstance(event, TimelineHeartbeat):
                found = index, event
        highest = max(highest, epoch)
    return found


def believable_heartbeat(
    records: Sequence[Record], *, complete: bool, burst: int = BURST_RECORDS
) -> tuple[int, TimelineHeartbeat] | None:
    """The last heartbeat that a reader of the whole partition would accept, by index; None when `records` cannot prove it.

    `complete`: the records begin where the partition begins, so nothing earlier could speak against it.
    """
    found = last_heartbeat(records)
    return found if found is not None and (complete or found[0] >= burst) else None


async def prime_cursor(bootstrap: str, partition: int, offset: int) -> TimelineCursor:
    """The state in which a reader of the whole partition would meet the record at `offset`.

    Reads back to the last believable heartbeat before it, or to the partition's beginning when there is none.
    """
    async with LogReader(bootstrap) as log:
        beginning = await log.beginning(TIMELINE.name, partition)
        records: list[Record] = []
        start = max(beginning, offset)
        while True:
            found = believable_heartbeat(records, complete=start <= beginning)
            if start <= beginning or found is not None:
                break
            earlier = max(beginning, start - _CHUNK)
            chunk = [record async for batch in log.range(TIMELINE.name, partition, earlier, start) for record in batch]
            records, start = chunk + records, earlier
    return replayed(records, found)


def replayed(records: Sequence[Record], found: tuple[int, TimelineHeartbeat] | None) -> TimelineCursor:
    """The cursor after `records`, beginning at the heartbeat found among them (index, content) or at the first."""
    cursor = TimelineCursor() if found is None else TimelineCursor.at(found[1])
    rest = records if found is None else records[found[0] + 1 :]
    for _ in accepted(rest, cursor, []):
        pass
    return cursor


async def prime_gates(bootstrap: str, partition: int, offset: int) -> tuple[TimelineGate, FrameGate]:
    """The two gates of `prime_cursor`."""
    cursor = await prime_cursor(bootstrap, partition, offset)
    return cursor.gate, cursor.frames


async def read_accepted(bootstrap: str, partition: int, start: int, end: int) -> AsyncIterator[Accepted]:
    """What counts of a partition's records with `start <= offset < end`, gates primed; unreadable records are left out."""
    cursor = await prime_cursor(bootstrap, partition, start)
    async with LogReader(bootstrap) as log:
        async for batch in log.range(TIMELINE.name, partition, start, end):
            for taken in accepted(batch, cursor, []):
                yield taken
