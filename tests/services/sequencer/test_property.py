"""Whatever dies, doubles or arrives late: every reader of the timeline sees the same sequence, each source record once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode
from libs.contracts.timeline import HEADER_SOURCE, Source, TimelineHeartbeat, effective_at
from libs.contracts.topics import AGGTRADE, LIQUIDATION
from libs.streaming.records import Record
from libs.streaming.timeline import own_event
from services.sequencer.core import SequencerCore
from tests.services.sequencer.log_model import (
    BAD_EVERY,
    LENGTH,
    MARKET_PARTITIONS,
    PARTITION,
    SOURCES,
    SYMBOL,
    World,
    restorable,
)

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(("start", "land", "land", "land", "trade", "trade", "slow", "beat", "kill")),
        st.integers(0, 7),
        st.integers(1, 5),
    ),
    max_size=120,
)


def play(actions: list[tuple[str, int, int]]) -> World:
    """Run one history of faults, then let a healthy owner finish."""
    world = World()
    world.start()
    for action, number, times in actions:
        owner = world.owners[-1 - number % len(world.owners)]
        if action == "start" and len(world.owners) < 8:
            world.start()
        elif action == "kill":
            owner.alive = False
        for _ in range(times):
            if action == "land":
                world.land(owner)
            elif action == "trade":
                world.copy(owner, AGGTRADE.name)
            elif action == "slow":
                world.copy(owner, LIQUIDATION.name)
            elif action == "beat":
                world.beat(owner)
    world.finish()
    return world


def new_core() -> SequencerCore:
    return SequencerCore(PARTITION, MARKET_PARTITIONS)


def accepted(log: list[Record], start: int = 0) -> tuple[list[Record], SequencerCore]:
    """What a reader that starts at `start` takes, and its state at the end."""
    core = new_core()
    return [record for record in log[start:] if core.follow(record)], core


def copies(records: list[Record]) -> list[Record]:
    return [record for record in records if own_event(record) is None]


@given(ACTIONS)
@settings(max_examples=300, deadline=None)
def test_every_source_record_once_and_in_order(actions: list[tuple[str, int, int]]) -> None:
    world = play(actions)
    taken = copies(accepted(world.log)[0])
    for topic in SOURCES:
        offsets = [Source.parse(r.headers[HEADER_SOURCE].decode()).offset for r in taken if topic_of(r) == topic]
        bad = BAD_EVERY if topic == AGGTRADE.name else LENGTH + 1
        assert offsets == [number for number in range(LENGTH) if number % bad != bad - 1]
    for record in taken:
        source = Source.parse(record.headers[HEADER_SOURCE].decode())
        assert record.value == SOURCES[source.topic](source.offset).value


@given(ACTIONS)
@settings(max_examples=200, deadline=None)
def test_every_start_at_a_heartbeat_sees_the_same_rest(actions: list[tuple[str, int, int]]) -> None:
    world = play(actions)
    everything, end = accepted(world.log)
    for start in everything:
        if isinstance(own_event(start), TimelineHeartbeat):
            rest, core = accepted(world.log, start.offset)
            assert rest == [record for record in everything if record.offset >= start.offset]
            assert (core.gate, core.watermarks, core.frames.last_ids) == (end.gate, end.watermarks, end.frames.last_ids)


@given(ACTIONS)
@settings(max_examples=200, deadline=None)
def test_a_restored_state_is_the_state_of_a_full_reader(actions: list[tuple[str, int, int]]) -> None:
    log = play(actions).log
    for end in range(1, len(log), 5):
        restored = new_core()
        for record in restorable(log[:end]):
            restored.follow(record)
        assert restored == accepted(log[:end])[1]


@given(ACTIONS)
@settings(max_examples=100, deadline=None)
def test_effective_at_is_the_watermark_at_that_place(actions: list[tuple[str, int, int]]) -> None:
    reader = new_core()
    for record in play(actions).log:
        before = reader.watermarks.get(SYMBOL, -1)
        if reader.follow(record) and own_event(record) is None:
            decode(record.value, record.headers)
            assert effective_at(record.headers) == (
                before if topic_of(record) == LIQUIDATION.name else reader_greatest(before)
            )


def reader_greatest(before: int) -> int:
    """With one symbol, the greatest watermark is that symbol's."""
    return before


def topic_of(record: Record) -> str:
    return Source.parse(record.headers[HEADER_SOURCE].decode()).topic
