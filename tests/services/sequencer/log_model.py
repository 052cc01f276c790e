"""A Kafka in memory with the faults that matter here: kills at any point, lost acknowledgements, doubled owners, late appends."""

from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.codec import Encoded, encode
from libs.contracts.event import Event
from libs.contracts.market import LiquidationObserved
from libs.contracts.partitioning import partition_of
from libs.contracts.timeline import TimelineFenced
from libs.contracts.topics import AGGTRADE, LIQUIDATION, TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.records import Record
from libs.streaming.timeline import Tail, own_event
from services.sequencer.core import SequencerCore
from tests.services.frame_factory import Envelope, Row, make_frame

SYMBOL = "BTCUSDT"
MARKET_PARTITIONS = 4
PARTITION = partition_of(SYMBOL, MARKET_PARTITIONS)
SETTLED = 40
BAD_EVERY = 7
ONE = Decimal(1)


def trade_record(offset: int) -> Record:
    """The source's frame number `offset`; each seventh is garbage."""
    row = Row(SYMBOL, offset, 100, 1, 1_000 * offset, False)
    frame = make_frame(Envelope(PARTITION, sequence=offset), [row], {SYMBOL: 1_000 * offset - 1})
    value, headers = encode(frame)
    garbage = offset % BAD_EVERY == BAD_EVERY - 1
    return Record(AGGTRADE.name, PARTITION, offset, None, b"\xc1" if garbage else value, dict(headers), 0)


def liquidation_record(offset: int) -> Record:
    """The source's liquidation number `offset`."""
    event = LiquidationObserved(
        event_id=str(offset), event_time_ms=offset, symbol=SYMBOL, side="SELL", quantity=ONE, average_price=ONE,
        order_price=ONE, last_filled_quantity=ONE, trade_time_ms=offset, status="FILLED",
    )  # fmt: skip
    value, headers = encode(event)
    return Record(LIQUIDATION.name, PARTITION, offset, None, value, dict(headers), 0)


SOURCES = {AGGTRADE.name: trade_record, LIQUIDATION.name: liquidation_record}
LENGTH = 25


@dataclass
class Owner:
    """One sequencer process: its core, what it has sent that has not landed."""

    core: SequencerCore
    read_to: int
    outbox: list[tuple[Encoded, int]] = field(default_factory=list)
    owns: bool = False
    alive: bool = True
    heartbeats: int = 0


def restorable(log: list[Record]) -> list[Record]:
    """What a new owner folds: the shortest tail that is settled, read in growing spans as `tail_before` does."""
    span = 8
    while True:
        tail = Tail()
        for record in log[-span:]:
            tail.add(record)
        if span >= len(log) or tail.settled(SETTLED):
            return tail.records
        span *= 2


class World:
    """The timeline partition and everybody who appends to it; time is the number of appends and steps."""

    def __init__(self) -> None:
        self.log: list[Record] = []
        self.owners: list[Owner] = []
        self.now = 0

    def start(self) -> None:
        """A new process reads the tail as `tail_before` does and sends its fence."""
        core = SequencerCore(PARTITION, MARKET_PARTITIONS)
        for record in restorable(self.log):
            core.follow(record)
        owner = Owner(core, len(self.log))
        self.owners.append(owner)
        self._fence(owner)

    def _fence(self, owner: Owner) -> None:
        self._send(owner, owner.core.fence(f"owner {self.owners.index(owner)}"))

    def _send(self, owner: Owner, event: Event) -> None:
        owner.outbox.append((encode(event), self.now))

    def land(self, owner: Owner) -> None:
        """The oldest sent record of an owner, dead or alive, reaches the log, unless it is too old by now."""
        self.now += 1
        if not owner.outbox:
            return
        encoded, sent = owner.outbox.pop(0)
        if self.now - sent > SETTLED:
            owner.outbox.clear()  # the producer gave up: its process ends
            owner.alive = False
            return
        value, headers = encoded
        self.log.append(Record(TIMELINE.name, PARTITION, len(self.log), None, value, dict(headers), self.now))
        if not owner.alive:
            return
        if not owner.owns:
            self._read_to_own_fence(owner)
            return
        foreign = self.log[owner.read_to : -1]
        owner.read_to = len(self.log)
        fences = [event for record in foreign if isinstance(event := own_event(record), TimelineFenced)]
        if any(fence.epoch > owner.core.gate.epoch for fence in fences):
            owner.alive = False  # it learns of the fence from this acknowledgement; what it has sent may still land

    def _read_to_own_fence(self, owner: Owner) -> None:
        results = [owner.core.follow(record) for record in self.log[owner.read_to :]]
        owner.read_to = len(self.log)
        owner.owns = results[-1]
        if not owner.owns:
            self._fence(owner)

    def copy(self, owner: Owner, topic: str) -> None:
        """An owner takes the next record of one source, whether or not somebody else has fenced meanwhile."""
        self.now += 1
        offset = owner.core.position(topic, PARTITION) + 1
        if not (owner.alive and owner.owns) or offset >= LENGTH:
            return
        try:
            encoded = owner.core.copy(SOURCES[topic](offset))
        except BadMessage:
            return
        assert encoded is not None
        owner.outbox.append((encoded, self.now))

    def beat(self, owner: Owner) -> None:
        """A heartbeat of an owner."""
        self.now += 1
        if owner.alive and owner.owns:
            self._send(owner, owner.core.heartbeat(owner.heartbeats))
            owner.heartbeats += 1

    def finish(self) -> None:
        """Everything sent lands or is lost for good; then one healthy owner copies the rest."""
        for owner in self.owners:
            while owner.outbox:
                self.land(owner)
        self.start()
        last = self.owners[-1]
        while last.alive and not last.owns:
            self.land(last)
        for topic in SOURCES:
            for _ in range(LENGTH):
                self.copy(last, topic)
                self.beat(last)
                while last.outbox:
                    self.land(last)
