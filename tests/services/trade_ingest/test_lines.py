"""Two connections of one session: each id once and in order, and REST is asked only for what both left out."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from services.trade_ingest.assembler import Resume
from services.trade_ingest.continuity import Continuity, Told
from tests.services.trade_ingest.test_assembler import START, SYMBOL, assembler, ids_and_holes, trade

BOTH = frozenset({0, 1})


def test_ids_that_one_connection_left_out_come_by_the_other() -> None:
    core = assembler(Resume(0, START, START))
    tracker = core.feeds[SYMBOL].tracker
    tracker.lines = BOTH
    core.take([trade(1, START + 1), trade(4, START + 4), trade(5, START + 5)], 1, line=0)
    assert core.newly_filling == []
    core.take([trade(n, START + n) for n in (1, 2, 3, 4)], 2, line=1)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2, 3, 4, 5], [])
    assert tracker.state is Continuity.LIVE, "and the connection's word is believed again"


def test_ids_that_both_left_out_are_asked_for_at_once() -> None:
    core = assembler(Resume(0, START, START))
    core.feeds[SYMBOL].tracker.lines = BOTH
    core.take([trade(1, START + 1), trade(3, START + 3)], 1, line=0)
    core.take([trade(1, START + 1)], 2, line=1)
    assert core.newly_filling == []
    core.take([trade(3, START + 3)], 3, line=1)
    assert core.newly_filling == [SYMBOL]


def test_the_loss_of_the_connection_that_was_waited_for_ends_the_wait() -> None:
    core = assembler(Resume(0, START, START))
    tracker = core.feeds[SYMBOL].tracker
    tracker.lines = BOTH
    core.take([trade(1, START + 1), trade(3, START + 3)], 1, line=0)
    assert not tracker.lost_lines(BOTH)
    assert tracker.lost_lines(frozenset({0}))
    assert tracker.state is Continuity.FILLING


def test_a_watermark_stands_while_the_other_connection_is_waited_for() -> None:
    core = assembler(Resume(0, START, START))
    core.feeds[SYMBOL].tracker.lines = BOTH
    core.take([trade(1, START + 1), trade(3, START + 3)], 1, line=0)
    core.follow([SYMBOL], START + 60_000)
    assert core.feeds[SYMBOL].watermark.value == START


@st.composite
def two_connections(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]], set[int]]:
    """How many trades there are, an interleaving of (line, id) in which each line is in order, and what no line brings."""
    count = draw(st.integers(1, 20))  # as many as the assembler of these tests holds
    lost = [draw(st.sets(st.integers(1, count - 1))) if count > 1 else set[int]() for _ in BOTH]
    queues = [[n for n in range(1, count + 1) if n not in lost[line]] for line in sorted(BOTH)]
    order = []
    while any(queues):
        line = draw(st.sampled_from([line for line in sorted(BOTH) if queues[line]]))
        order.append((line, queues[line].pop(0)))
    return count, order, lost[0] & lost[1]


@given(two_connections(), st.lists(st.integers(1, 5), max_size=30))
def test_whatever_two_connections_leave_out_each_id_comes_once_and_only_common_losses_are_asked_for(
    case: tuple[int, list[tuple[int, int]], set[int]], sizes: list[int]
) -> None:
    count, order, lost = case
    core = assembler(Resume(0, START, START))
    tracker = core.feeds[SYMBOL].tracker
    tracker.lines = BOTH
    asked = set[int]()

    def ask() -> Iterator[int]:
        while tracker.state is Continuity.FILLING:
            asked.update(n for first, last, _, _ in tracker.gaps() for n in range(first, last + 1))
            rows = [trade(n, START + n) for n in range(tracker.expected, count + 1)][: (tracker.held and 3) or 1]
            core.fill(SYMBOL, rows, Told(not rows, tracker.generation), 9)
            yield tracker.expected

    position = 0
    for size in [*sizes, *[1] * len(order)]:
        for line, agg_id in order[position : position + size]:
            core.take([trade(agg_id, START + agg_id)], 1, line)
        position += size
        list(ask())
    assert not tracker.stop_waiting(), "the last id came by both"
    core.flush()
    assert ids_and_holes(core.drain()) == (list(range(1, count + 1)), [])
    assert asked <= lost, "what one connection brought was not asked for"


@given(two_connections(), st.data())
def test_while_rest_is_refused_a_slow_connection_still_brings_what_it_has(
    case: tuple[int, list[tuple[int, int]], set[int]], data: st.DataObject
) -> None:
    count, order, lost = case
    core = assembler(Resume(0, START, START))
    tracker = core.feeds[SYMBOL].tracker
    tracker.lines = BOTH
    for line, agg_id in order:
        core.take([trade(agg_id, START + agg_id)], 1, line)
        if data.draw(st.booleans(), label="patience ends"):
            tracker.stop_waiting()
    core.flush()
    until = min(lost, default=count + 1)
    assert ids_and_holes(core.drain()) == (list(range(1, until)), [])
    core.fill(SYMBOL, [trade(n, START + n) for n in range(until, count + 1)], Told(True, tracker.generation), 9)
    core.flush()
    assert ids_and_holes(core.drain()) == (list(range(until, count + 1)), [])
    assert tracker.state is Continuity.LIVE


def test_an_id_that_no_frame_can_hold_is_for_rest_to_tell_whichever_connection_repeats_it() -> None:
    core = assembler(Resume(0, START, START))
    core.feeds[SYMBOL].tracker.lines = BOTH
    bad = trade(1, START + 1, price="0.123456789012345678")
    core.take([bad, trade(2, START + 2)], 1, line=0)
    core.flush()
    core.take([bad, trade(2, START + 2)], 2, line=1)
    core.flush()
    assert ids_and_holes(core.drain()) == ([], [])
    core.fill(SYMBOL, [trade(1, START + 1)], Told(True, 0), 3)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2], [])


def test_every_common_gap_of_two_connections_is_known_when_both_have_passed_it() -> None:
    core = assembler(Resume(9, START, START))
    tracker = core.feeds[SYMBOL].tracker
    tracker.lines = BOTH
    for line in (0, 1):
        core.take([trade(n, START + n) for n in (10, 12, 15)], 1, line)
    assert [(first, last) for first, last, _, _ in tracker.gaps()] == [(11, 11), (13, 14)]
