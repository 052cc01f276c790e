"""One timeline partition as a pure state machine: fold what stands in the log, then turn source records into copies.

The state is a function of the log alone, so a new owner that has read the log up to its own fence continues exactly where
the accepted records end, whatever dead or doubled owners have appended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from libs.contracts.codec import HEADER_SCHEMA, Encoded, decode, decode_as
from libs.contracts.event import Event
from libs.contracts.frames import FrameGate
from libs.contracts.market import UNKNOWN_TIME, AggTradeFrame, TradesBootstrapped
from libs.contracts.partitioning import partition_of
from libs.contracts.timeline import (
    HEADER_EFFECTIVE_AT,
    HEADER_EPOCH,
    HEADER_SOURCE,
    TimelineFenced,
    TimelineGate,
    TimelineHeartbeat,
)
from libs.contracts.topics import SEQUENCED, STRATEGY_CONTROL
from libs.kit.errors import BadMessage

_FENCED = TimelineFenced.SCHEMA.encode()
_HEARTBEAT = TimelineHeartbeat.SCHEMA.encode()
_ALLOWED: dict[str, tuple[type[Event], ...]] = {topic.name: topic.events for topic in (*SEQUENCED, STRATEGY_CONTROL)}
_OWN_HEADERS = frozenset((HEADER_SOURCE, HEADER_EPOCH, HEADER_EFFECTIVE_AT))


class LogRecord(Protocol):
    """What the core needs to know of a Kafka record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Mapping[str, bytes]: ...
    @property
    def timestamp_ms(self) -> int: ...


def own_event(record: LogRecord) -> TimelineFenced | TimelineHeartbeat | None:
    """The sequencer's own record, or None for a copy. Raises `BadMessage` when it cannot be decoded."""
    schema = record.headers.get(HEADER_SCHEMA)
    if schema == _HEARTBEAT:
        return decode_as(TimelineHeartbeat, record.value)
    if schema == _FENCED:
        return decode_as(TimelineFenced, record.value)
    return None


@dataclass(slots=True)
class Tail:
    """The end of a timeline partition while it is read: keeps the records from the last heartbeat that counts.

    A fenced owner's last heartbeats can land after its successor's fence, and must not be taken for the state. So a
    heartbeat needs at least the epoch of everything before it. How much before it must be known is a question of time: an
    owner that is alive writes each second, and one that was fenced learns it from its next acknowledgement.
    """

    records: list[LogRecord] = field(default_factory=list)
    epoch: int = -1
    first_ms: int | None = None
    anchor_ms: int | None = None

    def add(self, record: LogRecord) -> None:
        """The next record in log order."""
        if self.first_ms is None:
            self.first_ms = record.timestamp_ms
        try:
            event = own_event(record)
            epoch = event.epoch if event is not None else int(record.headers.get(HEADER_EPOCH, b"-1"))
        except (BadMessage, ValueError):
            epoch, event = -1, None
        if isinstance(event, TimelineHeartbeat) and epoch >= self.epoch:
            self.records, self.anchor_ms = [], record.timestamp_ms
        self.epoch = max(self.epoch, epoch)
        self.records.append(record)

    def settled(self, settled_ms: int) -> bool:
        """Whether at least `settled_ms` of log append time was seen before the heartbeat that `records` begins with."""
        if self.anchor_ms is None or self.first_ms is None:
            return False
        return self.anchor_ms - self.first_ms >= settled_ms


@dataclass(slots=True)
class SequencerCore:
    """State of one timeline partition: the gate, the frame gate, and each symbol's watermark (ms) at this place."""

    partition: int
    market_partitions: int
    gate: TimelineGate = field(default_factory=TimelineGate)
    frames: FrameGate = field(default_factory=FrameGate)
    watermarks: dict[str, int] = field(default_factory=dict)
    greatest_watermark: int = UNKNOWN_TIME

    def follow(self, record: LogRecord) -> bool:
        """Fold one record that stands in the timeline; returns whether it counts. Garbage counts for nothing."""
        try:
            event = own_event(record)
            if not self.gate.accept(event, record.headers):
                return False
            if isinstance(event, TimelineHeartbeat):
                self._restore(event)
            elif event is None:
                self._learn(decode(record.value, record.headers))
        except BadMessage:
            return False
        return True

    def fence(self, owner: str) -> TimelineFenced:
        """The fence with which `owner` asks for the partition; it counts if the log accepts it."""
        epoch = self.gate.epoch + 1
        return TimelineFenced(
            event_id=f"fence:{self.partition}:{epoch}:{owner}",
            event_time_ms=max(self.greatest_watermark, 0),
            partition=self.partition,
            epoch=epoch,
            owner=owner,
        )

    def heartbeat(self, number: int) -> TimelineHeartbeat:
        """The complete state at this place; `number` counts the heartbeats of this epoch."""
        return TimelineHeartbeat(
            event_id=f"heartbeat:{self.partition}:{self.gate.epoch}:{number}",
            event_time_ms=max(self.greatest_watermark, 0),
            partition=self.partition,
            epoch=self.gate.epoch,
            positions=dict(self.gate.positions),
            watermarks=dict(self.watermarks),
            frame_epochs=dict(self.frames.epochs),
            last_ids=dict(self.frames.last_ids),
        )

    def position(self, topic: str, partition: int) -> int:
        """The last offset taken from a source; -1 before the first."""
        return self.gate.positions.get(f"{topic}:{partition}", -1)

    def copy(self, record: LogRecord) -> Encoded | None:
        """The record to append for a source record: its bytes with the timeline's headers; None when it was taken before.

        Raises `BadMessage` when no reader could use it; the position has moved on then.
        """
        stream = f"{record.topic}:{record.partition}"
        if record.offset <= self.gate.positions.get(stream, -1):
            return None
        self.gate.positions[stream] = record.offset
        event = decode(record.value, record.headers, _ALLOWED[record.topic])
        effective = self._effective_at(event)
        self._learn(event)
        headers = [item for item in record.headers.items() if item[0] not in _OWN_HEADERS]
        headers.append((HEADER_SOURCE, f"{stream}:{record.offset}".encode()))
        headers.append((HEADER_EPOCH, str(self.gate.epoch).encode()))
        headers.append((HEADER_EFFECTIVE_AT, str(effective).encode()))
        return Encoded(record.value or b"", headers)

    def _effective_at(self, event: Event) -> int:
        symbol = getattr(event, "symbol", None)
        if symbol is None:
            return self.greatest_watermark
        self._check_symbol(symbol)
        return self.watermarks.get(symbol, UNKNOWN_TIME)

    def _learn(self, event: Event) -> None:
        if isinstance(event, AggTradeFrame):
            self._learn_frame(event)
        elif isinstance(event, TradesBootstrapped):
            self.frames.admit_epoch(event.producer, event.epoch)

    def _learn_frame(self, frame: AggTradeFrame) -> None:
        if frame.partition != self.partition:
            raise BadMessage("wrong_partition", f"a frame of partition {frame.partition} in {self.partition}")
        for part in frame.slices:
            if part.symbol not in self.watermarks:
                self._check_symbol(part.symbol)
        if self.frames.accept(frame) is None:
            return
        for part in frame.slices:
            if part.watermark_ms > self.watermarks.get(part.symbol, UNKNOWN_TIME - 1):
                self.watermarks[part.symbol] = part.watermark_ms
                self.greatest_watermark = max(self.greatest_watermark, part.watermark_ms)

    def _check_symbol(self, symbol: str) -> None:
        home = partition_of(symbol, self.market_partitions)
        if home != self.partition:
            raise BadMessage("wrong_partition", f"{symbol} belongs to partition {home}, not {self.partition}")

    def _restore(self, heartbeat: TimelineHeartbeat) -> None:
        self.watermarks = dict(heartbeat.watermarks)
        self.greatest_watermark = max(self.watermarks.values(), default=UNKNOWN_TIME)
        self.frames.epochs = dict(heartbeat.frame_epochs)
        self.frames.last_ids = dict(heartbeat.last_ids)
