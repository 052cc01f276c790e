"""Reading the timeline: which of its records count, from any place in it, the same for every reader.

A reader that starts in the middle needs the gates' state at that place. `tail_before` finds a heartbeat before it and what
stands between; `TimelineCursor` is the pair of gates with the rule for one record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from libs.contracts.codec import decode, decode_as, schema_of
from libs.contracts.event import Event
from libs.contracts.frames import FrameGate, TradeColumns
from libs.contracts.market import UNKNOWN_TIME, AggTradeFrame, TradesBootstrapped
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

_OWN = (TimelineFenced, TimelineHeartbeat)
# An owner alive writes each second; a fenced one stops at its next acknowledgement, seconds after the fence.
SETTLED_MS = 60_000
_FIRST_SPAN = 4_096


def own_event(record: Record) -> TimelineFenced | TimelineHeartbeat | None:
    """The sequencer's own record, or None for a copy. Raises `BadMessage` when it cannot be told or decoded."""
    kind = schema_of(record.headers)
    return decode_as(kind, record.value) if kind in _OWN else None  # type: ignore[return-value]


@dataclass(slots=True)
class Tail:
    """The end of a timeline partition while it is read: keeps the records from the last heartbeat that counts, if any.

    A fenced owner's last heartbeats can land after its successor's fence, and must not be taken for the state. So a
    heartbeat needs at least the epoch of everything before it. How much before it must be known is a question of time: an
    owner that is alive writes each second, and one that was fenced learns it from its next acknowledgement.
    """

    records: list[Record] = field(default_factory=list)
    epoch: int = -1
    first_ms: int | None = None
    heartbeat: TimelineHeartbeat | None = None

    def add(self, record: Record) -> None:
        """The next record in log order."""
        if self.first_ms is None:
            self.first_ms = record.timestamp_ms
        try:
            event = own_event(record)
            epoch = event.epoch if event is not None else int(record.headers.get(HEADER_EPOCH, b"-1"))
        except (BadMessage, ValueError):
            epoch, event = -1, None
        if isinstance(event, TimelineHeartbeat) and epoch >= self.epoch:
            self.records, self.heartbeat = [], event
        self.epoch = max(self.epoch, epoch)
        self.records.append(record)

    def settled(self, settled_ms: int) -> bool:
        """Whether at least `settled_ms` of log append time was seen before the heartbeat that `records` begins with."""
        if self.heartbeat is None or self.first_ms is None:
            return False
        return self.records[0].timestamp_ms - self.first_ms >= settled_ms


async def tail_before(log: LogReader, partition: int, end: int) -> Tail:
    """The records before the offset `end` that make up the state there: from the last heartbeat that surely counts, or from
    the beginning of a young log."""
    beginning, span = await log.beginning(TIMELINE.name, partition), _FIRST_SPAN
    while True:
        start, tail = max(beginning, end - span), Tail()
        async for batch in log.range(TIMELINE.name, partition, start, end):
            for record in batch:
                tail.add(record)
        if start == beginning or tail.settled(SETTLED_MS):
            return tail
        span *= 4


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
        own = own_event(record)
        if own is not None:
            return self._accept_own(record, own)
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

    def _accept_own(self, record: Record, event: TimelineFenced | TimelineHeartbeat) -> Accepted | None:
        if not self.gate.accept(event, record.headers):
            return None
        if isinstance(event, TimelineHeartbeat):
            # Nothing new for who read from the beginning; the whole state for who starts in a log that retention has cut.
            _raise_to(self.frames.epochs, event.frame_epochs)
            _raise_to(self.frames.last_ids, event.last_ids)
        return Accepted(record, event, None, None, -1)


def _raise_to(known: dict[str, int], stated: dict[str, int]) -> None:
    for name, value in stated.items():
        known[name] = max(known.get(name, -1), value)


@dataclass(slots=True)
class Watermarks:
    """Each symbol's watermark (ms) after the records followed so far, as the sequencer knew it there."""

    by_symbol: dict[str, int] = field(default_factory=dict)

    def of(self, symbol: str) -> int:
        """The symbol's watermark; -1 when nothing was proven."""
        return self.by_symbol.get(symbol, UNKNOWN_TIME)

    def follow(self, taken: Accepted) -> None:
        """Learn from the next record that counts."""
        if isinstance(taken.event, AggTradeFrame):
            for part in taken.event.slices:
                if part.watermark_ms > self.of(part.symbol):
                    self.by_symbol[part.symbol] = part.watermark_ms
        elif isinstance(taken.event, TimelineHeartbeat):
            _raise_to(self.by_symbol, taken.event.watermarks)


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


async def prime_cursor(bootstrap: str, partition: int, offset: int) -> tuple[TimelineCursor, Watermarks]:
    """The state in which a reader of the whole partition would meet the record at `offset`."""
    cursor, watermarks = TimelineCursor(), Watermarks()
    async with LogReader(bootstrap) as log:
        for taken in accepted((await tail_before(log, partition, offset)).records, cursor, []):
            watermarks.follow(taken)
    return cursor, watermarks
