"""One timeline partition as a pure state machine: fold what stands in the log, then turn source records into copies.

The state is a function of the log alone, so a new owner that has read the log up to its own fence continues exactly where
the accepted records end, whatever dead or doubled owners have appended.
"""

from dataclasses import dataclass, field

from libs.contracts.codec import Encoded, decode
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
from libs.streaming.records import Record
from libs.streaming.timeline import own_event

_ALLOWED: dict[str, tuple[type[Event], ...]] = {topic.name: topic.events for topic in (*SEQUENCED, STRATEGY_CONTROL)}
_OWN_HEADERS = frozenset((HEADER_SOURCE, HEADER_EPOCH, HEADER_EFFECTIVE_AT))


@dataclass(slots=True)
class SequencerCore:
    """State of one timeline partition: the gate, the frame gate, and each symbol's watermark (ms) at this place."""

    partition: int
    market_partitions: int
    gate: TimelineGate = field(default_factory=TimelineGate)
    frames: FrameGate = field(default_factory=FrameGate)
    watermarks: dict[str, int] = field(default_factory=dict)
    greatest_watermark: int = UNKNOWN_TIME

    def follow(self, record: Record) -> bool:
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

    def copy(self, record: Record) -> Encoded | None:
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
