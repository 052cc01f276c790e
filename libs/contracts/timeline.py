"""The one ordered log: its own records, the header that names a copied record's source, and the gate every reader shares.

A timeline record is either a copy (value and schema of the source, byte for byte, plus `source`, `owner-epoch` and
`effective-at` headers) or one of the two records of the sequencer itself. The gate makes every reader see the same
sequence, whatever dead or doubled owners have appended: see `TimelineGate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from libs.contracts.event import ContentType, Event
from libs.contracts.market import Hole
from libs.kit.errors import BadMessage

HEADER_SOURCE = "source"
HEADER_EPOCH = "owner-epoch"
HEADER_EFFECTIVE_AT = "effective-at"
KNOWN_BEFORE_MS = 2
"""What is known from T on has the place T - 2: it counts for the evaluations above its place by more than 1 ms."""


class TimelineFenced(Event, frozen=True, kw_only=True):
    """A new owner takes a partition: from here on, records of lower epochs are dropped by every reader.

    The owner resumes each source after the last position accepted before its own fence, so nothing is lost or doubled.
    """

    SCHEMA: ClassVar[str] = "timeline_fenced/1"

    partition: int
    epoch: int
    owner: str


class TimelineHeartbeat(Event, frozen=True, kw_only=True):
    """Once a second: the complete state of the gate and of the watermarks at this place.

    `positions`: last copied offset by "topic:partition". `watermarks`: ms by symbol. A reader may start at any that counts.
    """

    SCHEMA: ClassVar[str] = "timeline_heartbeat/1"
    CONTENT_TYPE: ClassVar[ContentType] = "application/msgpack"

    partition: int
    epoch: int
    positions: dict[str, int]
    watermarks: dict[str, int]
    frame_epochs: dict[str, int]
    last_ids: dict[str, int]


class PlacedEvent(NamedTuple):
    """An event beside trades and the watermark (ms) of the symbol at its place in the log; -1: nothing was proven there."""

    effective_at_ms: int
    event: Event


class PlacedHole(NamedTuple):
    """A hole and the watermark (ms) of its symbol at its place in the log; -1: nothing was proven there."""

    effective_at_ms: int
    hole: Hole


class Source(NamedTuple):
    """Where a copied record came from."""

    topic: str
    partition: int
    offset: int

    @property
    def stream(self) -> str:
        return f"{self.topic}:{self.partition}"

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read "topic:partition:offset"; raises `BadMessage` when it is something else."""
        topic, _, rest = text.partition(":")
        partition, _, offset = rest.partition(":")
        if not topic or not partition.isdigit() or not offset.isdigit():
            raise BadMessage("bad_source_header", f"{text!r} is not topic:partition:offset")
        return cls(topic, int(partition), int(offset))


@dataclass(slots=True)
class TimelineGate:
    """Which records of a timeline partition count. A pure function of the log: every reader that applies it agrees.

    A fence counts when its epoch is above all earlier ones. A record counts when its epoch is the current one, and a copy
    only when its source offset is above the last accepted one of the same source.
    """

    epoch: int = 0
    positions: dict[str, int] = field(default_factory=dict)

    def accept(self, event: Event | None, headers: Mapping[str, bytes]) -> bool:
        """Decide one record in log order; `event` is given for the sequencer's own records, None for copies.

        Raises `BadMessage` when the headers of a copy are missing or malformed.
        """
        if isinstance(event, TimelineFenced):
            if event.epoch <= self.epoch:
                return False
            self.epoch = event.epoch
            return True
        if isinstance(event, TimelineHeartbeat):
            if event.epoch < self.epoch:
                return False
            self.epoch = event.epoch
            for stream, offset in event.positions.items():
                self.positions[stream] = max(offset, self.positions.get(stream, -1))
            return True
        return self._accept_copy(headers)

    def _accept_copy(self, headers: Mapping[str, bytes]) -> bool:
        try:
            source = Source.parse(headers[HEADER_SOURCE].decode())
            epoch = int(headers[HEADER_EPOCH])
        except (KeyError, ValueError) as error:
            raise BadMessage("bad_timeline_header", repr(error)) from None
        if epoch != self.epoch or source.offset <= self.positions.get(source.stream, -1):
            return False
        self.positions[source.stream] = source.offset
        return True


def effective_at(headers: Mapping[str, bytes]) -> int:
    """The symbol's watermark (ms) at the record's place in the timeline; -1 when nothing was proven yet."""
    try:
        return int(headers.get(HEADER_EFFECTIVE_AT, b"-1"))
    except ValueError:
        raise BadMessage("bad_timeline_header", "effective-at is not an integer") from None
