"""What is said of a gap stands on the topic before it is said, and is true whatever REST tells and whenever we are killed."""

from dataclasses import replace
from typing import cast

from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame, FeedStatusChanged, TradeGapChanged
from libs.exchanges import AggTrade, StreamBatch
from services.trade_ingest.continuity import Continuity, Told
from services.trade_ingest.health import FeedMemory
from services.trade_ingest.resume import TopicState
from tests.services.trade_ingest.test_assembler import SYMBOL, Trade
from tests.services.trade_ingest.test_missed import Stream

ABSURD = "99999999999999"


def one_line() -> Stream:
    stream = Stream()
    stream.feed.on_lines(frozenset({0}))
    return stream


async def opened() -> Stream:
    stream = one_line()
    stream.feed.on_open()
    stream.tells(1, 2, 3)
    return stream


def rest(stream: Stream, *trades: Trade, caught_up: bool = True) -> None:
    tracker = stream.core.feeds[SYMBOL].tracker
    stream.ingest.fill(SYMBOL, cast(list[AggTrade], trades), Told(caught_up, tracker.generation))


def made(stream: Stream, *ids: int) -> list[Trade]:
    return [stream._trade(number) for number in ids]


def tells(stream: Stream, *trades: Trade) -> None:
    rows = cast(list[AggTrade], list(trades))
    stream.feed.on_batch(StreamBatch(trades=rows, newest_event_time=rows[-1].trade_time, line=0))


def flush(stream: Stream) -> None:
    """As at each tick of the service."""
    stream.feed.look()
    stream.core.flush()
    stream.ingest.pump()


def published(stream: Stream, until: TradeGapChanged | None = None) -> list[int]:
    """The ids on the topic before an event."""
    events = stream.publisher.events
    before = events if until is None else events[: events.index(until)]
    frames = [event for event in before if isinstance(event, AggTradeFrame)]
    return [int(agg_id) for frame in frames for agg_id in read_columns(frame).agg_id]


def ends(stream: Stream) -> list[TradeGapChanged]:
    return [gap for gap in stream.publisher.gaps if gap.outcome != "open"]


async def test_a_gap_is_filled_when_its_rows_are_in_a_frame() -> None:
    stream = await opened()
    stream.tells(6)
    rest(stream, *made(stream, 4, 5))
    [filled] = ends(stream)
    assert filled.outcome == "filled"
    assert published(stream, filled) == [1, 2, 3, 4, 5, 6]


async def test_a_row_that_rest_too_tells_as_nonsense_is_not_said_to_be_filled() -> None:
    stream = await opened()
    stream.tells(6)
    nonsense = replace(stream._trade(4), quantity=ABSURD)
    for _ in range(3):
        rest(stream, nonsense, *made(stream, 5))
        flush(stream)
    stream.ingest.health.tick()
    assert published(stream) == [1, 2, 3, 5, 6]
    assert [(gap.first_missing_id, gap.last_missing_id, gap.outcome, gap.unfilled) for gap in ends(stream)] == [
        (4, 5, "filled", 1)
    ]
    assert stream.core.counts.missing == {SYMBOL: 1}
    assert stream.core.feeds[SYMBOL].tracker.state is Continuity.LIVE


async def test_what_a_cut_within_a_release_took_back_is_asked_for_to_its_end() -> None:
    stream = await opened()
    told = [replace(one, quantity=ABSURD) if one.agg_id == 6 else one for one in made(stream, *range(5, 15))]
    tells(stream, *told)
    rest(stream, *made(stream, 4), caught_up=False)
    flush(stream)
    tracker = stream.core.feeds[SYMBOL].tracker
    while tracker.state is Continuity.FILLING and tracker.expected < 15:
        rest(stream, *made(stream, tracker.expected), caught_up=False)
        flush(stream)
    assert published(stream) == list(range(1, 15))
    assert not [gap for gap in ends(stream) if gap.outcome == "never_existed"]


async def test_a_gap_that_is_given_up_is_one_although_another_line_might_still_bring_it() -> None:
    stream = await opened()
    stream.has_lines(0, 1)
    stream.tells(7, line=0)
    tracker = stream.core.feeds[SYMBOL].tracker
    assert tracker.stop_waiting()
    stream.ingest.abandon(SYMBOL, "rate_limited")
    flush(stream)
    assert [(gap.first_missing_id, gap.last_missing_id, gap.outcome, gap.unfilled) for gap in ends(stream)] == [
        (4, 6, "lost", 3)
    ]


async def test_an_absurd_id_in_an_answer_makes_no_gap_of_billions() -> None:
    stream = await opened()
    stream.feed.on_close("cut", silent=False)
    stream.feed.on_open()
    rest(stream, *made(stream, 4, 5), replace(stream._trade(6), agg_id=5_000_000_000))
    stream.tells(20)
    rest(stream, *made(stream, *range(6, 21)))
    flush(stream)
    missed = [number for gap in ends(stream) for number in range(gap.first_missing_id, gap.last_missing_id + 1)]
    assert missed == list(range(4, 20))


async def test_what_an_answer_leaves_to_another_line_is_in_a_gap_when_newer_rows_of_it_are() -> None:
    stream = await opened()
    stream.has_lines(0, 1)
    stream.tells(7, line=0)
    assert stream.core.feeds[SYMBOL].tracker.stop_waiting()
    stream.falls_silent()
    rest(stream, *made(stream, *range(4, 11)))
    flush(stream)
    missed = {number for gap in ends(stream) for number in range(gap.first_missing_id, gap.last_missing_id + 1)}
    assert missed >= {4, 5, 6, 8, 9, 10}


async def test_a_process_that_is_killed_behind_a_hole_leaves_it_to_its_successor_to_count() -> None:
    stream = await opened()
    stream.tells(8)
    rest(stream, *made(stream, 4), caught_up=False)
    stream.ingest.abandon(SYMBOL, "rate_limited")
    flush(stream)
    [first_frame] = [
        place for place, event in enumerate(stream.publisher.events) if isinstance(event, AggTradeFrame) and event.holes
    ]
    for killed_at in range(first_frame + 1, len(stream.publisher.events) + 1):
        topics, memory = TopicState(), FeedMemory()
        for event in stream.publisher.events[:killed_at]:
            if isinstance(event, AggTradeFrame):
                topics._absorb_frame(event)
            elif isinstance(event, FeedStatusChanged | TradeGapChanged):
                memory.absorb(event)
        memory.absorb_holes(topics.holes[SYMBOL])
        assert memory.marks[-1].missing + memory.missing_behind == 3
        assert [(gap.unfilled, gap.lost) for gap in memory.open_gaps] in ([], [(3, 3)])


async def test_an_answer_proves_nothing_of_what_was_taken_back_after_the_question() -> None:
    stream = await opened()
    tells(stream, replace(stream._trade(4), quantity=ABSURD))
    tracker = stream.core.feeds[SYMBOL].tracker
    tracker.distrust()
    asked = tracker.expected
    flush(stream)
    answer = cast(list[AggTrade], made(stream, 5, 6))
    stream.ingest.fill(SYMBOL, answer, Told(True, tracker.generation, asked=asked))
    assert (tracker.state, tracker.expected) == (Continuity.FILLING, 4)
    rest(stream, *made(stream, 4, 5, 6))
    flush(stream)
    assert published(stream) == [1, 2, 3, 4, 5, 6]
    assert stream.core.counts.never_existed == {}
