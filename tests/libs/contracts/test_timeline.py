"""The timeline's gate: dead and doubled owners change nothing, and every reader agrees wherever it starts."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.event import Event
from libs.contracts.timeline import (
    HEADER_EFFECTIVE_AT,
    HEADER_EPOCH,
    HEADER_SOURCE,
    Source,
    TimelineFenced,
    TimelineGate,
    TimelineHeartbeat,
    effective_at,
)
from libs.kit.errors import BadMessage

Entry = tuple[Event | None, dict[str, bytes]]
STREAMS = ("market.aggtrade.v1", "market.liquidation.v1")


def copy(topic: str, offset: int, epoch: int) -> Entry:
    source = Source(topic, 0, offset)
    return None, {HEADER_SOURCE: str(source).encode(), HEADER_EPOCH: str(epoch).encode()}


def fence(epoch: int) -> Entry:
    return TimelineFenced(event_id=f"f{epoch}", event_time_ms=0, partition=0, epoch=epoch, owner="o"), {}


def heartbeat(epoch: int, positions: dict[str, int]) -> Entry:
    event = TimelineHeartbeat(
        event_id="h",
        event_time_ms=0,
        partition=0,
        epoch=epoch,
        positions=positions,
        watermarks={},
        frame_epochs={},
        last_ids={},
    )
    return event, {}


@dataclass
class Owner:
    """A sequencer as the rules have it, in eight lines: it knows the log up to its own fence and resumes after it."""

    epoch: int
    positions: dict[str, int] = field(default_factory=dict)

    def next_copy(self, topic: str) -> Entry:
        stream = f"{topic}:0"
        self.positions[stream] = self.positions.get(stream, -1) + 1
        return copy(topic, self.positions[stream], self.epoch)


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """A log that several owners wrote at once: takeovers, writes of fenced owners, heartbeats of the rightful one."""
    log: list[Entry] = [fence(1)]
    truth = TimelineGate()
    truth.accept(*log[0])
    owners = [Owner(1)]
    for _ in range(draw(st.integers(0, 60))):
        action = draw(
            st.sampled_from(["write", "write", "write", "zombie", "again", "takeover", "lost race", "heartbeat"])
        )
        if action == "takeover":
            entry = fence(truth.epoch + 1)
            truth.accept(*entry)
            owners.append(Owner(truth.epoch, dict(truth.positions)))
        elif action == "lost race":
            entry = fence(draw(st.integers(0, truth.epoch)))
        elif action == "again":
            entry = draw(st.sampled_from([entry for entry in log if not isinstance(entry[0], TimelineHeartbeat)]))
            truth.accept(*entry)
        elif action == "heartbeat":
            entry = heartbeat(owners[-1].epoch, dict(truth.positions))
        else:
            owner = owners[-1] if action == "write" else draw(st.sampled_from(owners))
            entry = owner.next_copy(draw(st.sampled_from(STREAMS)))
            truth.accept(*entry)
        log.append(entry)
    return log


def _copies(gate: TimelineGate, log: list[Entry]) -> list[bytes]:
    return [headers[HEADER_SOURCE] for event, headers in log if gate.accept(event, headers) and event is None]


@given(logs())
def test_each_source_record_counts_once_and_in_order(log: list[Entry]) -> None:
    sources = [Source.parse(text.decode()) for text in _copies(TimelineGate(), log)]
    for topic in STREAMS:
        offsets = [source.offset for source in sources if source.topic == topic]
        assert offsets == list(range(len(offsets))), "nothing lost, nothing doubled, nothing out of order"


@given(logs(), st.data())
def test_a_reader_may_start_at_any_heartbeat(log: list[Entry], data: st.DataObject) -> None:
    whole = TimelineGate()
    for number, (event, headers) in enumerate(log):
        accepted = whole.accept(event, headers)
        if accepted and isinstance(event, TimelineHeartbeat):
            late, complete = TimelineGate(), TimelineGate(whole.epoch, dict(whole.positions))
            late.accept(event, headers)
            assert _copies(late, log[number + 1 :]) == _copies(complete, log[number + 1 :])


@given(logs(), st.integers(0, 60))
def test_a_restored_gate_goes_on_as_if_nothing_had_happened(log: list[Entry], cut: int) -> None:
    whole = TimelineGate()
    first = _copies(whole, log[:cut])
    restored = TimelineGate(whole.epoch, dict(whole.positions))
    assert first + _copies(restored, log[cut:]) == _copies(TimelineGate(), log)


def test_the_same_source_record_counts_once_in_an_epoch() -> None:
    gate = TimelineGate(epoch=1)
    assert gate.accept(*copy("t", 5, 1))
    assert not gate.accept(*copy("t", 5, 1))
    assert not gate.accept(*copy("t", 4, 1))
    assert gate.accept(*copy("t", 6, 1))


def test_a_heartbeat_tells_a_late_reader_what_was_copied() -> None:
    gate = TimelineGate()
    assert gate.accept(*heartbeat(2, {"t:0": 7}))
    assert not gate.accept(*copy("t", 7, 2))
    assert gate.accept(*copy("t", 8, 2))
    assert gate.accept(*heartbeat(2, {"t:0": 7}))
    assert not gate.accept(*copy("t", 8, 2)), "an old heartbeat moves nothing back"


def test_only_a_higher_fence_counts() -> None:
    gate = TimelineGate()
    assert gate.accept(*fence(3))
    assert not gate.accept(*fence(3))
    assert not gate.accept(*fence(2))
    assert gate.accept(*fence(4))
    assert not gate.accept(*heartbeat(3, {"a:0": 99}))
    assert gate == TimelineGate(4)


BAD_HEADERS = {
    "no source": {HEADER_EPOCH: b"1"},
    "no epoch": {HEADER_SOURCE: b"t:0:1"},
    "an epoch that is no number": {HEADER_SOURCE: b"t:0:1", HEADER_EPOCH: b"one"},
    "a source of two parts": {HEADER_SOURCE: b"t:0", HEADER_EPOCH: b"1"},
    "a negative offset": {HEADER_SOURCE: b"t:0:-1", HEADER_EPOCH: b"1"},
    "a source without topic": {HEADER_SOURCE: b":0:1", HEADER_EPOCH: b"1"},
    "a source that is not text": {HEADER_SOURCE: b"\xff:0:1", HEADER_EPOCH: b"1"},
    "digits of another script": {HEADER_SOURCE: "t:0:²".encode(), HEADER_EPOCH: b"1"},
}


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_copy_with_bad_headers_is_a_bad_message(what: str) -> None:
    gate = TimelineGate(epoch=1)
    with pytest.raises(BadMessage) as caught:
        gate.accept(None, BAD_HEADERS[what])
    assert caught.value.reason in ("bad_timeline_header", "bad_source_header")
    assert gate == TimelineGate(epoch=1)


@given(st.sampled_from(STREAMS), st.integers(0, 1023), st.integers(0, 2**63))
def test_a_source_reads_as_it_was_written(topic: str, partition: int, offset: int) -> None:
    assert Source.parse(str(Source(topic, partition, offset))) == Source(topic, partition, offset)


def test_effective_at() -> None:
    assert effective_at({HEADER_EFFECTIVE_AT: b"1723075201249"}) == 1723075201249
    assert effective_at({}) == -1
    with pytest.raises(BadMessage, match="effective-at"):
        effective_at({HEADER_EFFECTIVE_AT: b"soon"})
