"""Which of the rows that REST brings were missed by the stream: gaps are what the stream never told, no more and no less."""

import asyncio
import time
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.event import Event
from libs.contracts.market import TradeGapChanged
from libs.exchanges import AggTrade, MarketData, StreamBatch
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.trade_ingest.assembler import Resume
from services.trade_ingest.continuity import Continuity, Told
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.silence import SilenceWatch
from tests.services.trade_ingest.test_assembler import START, SYMBOL, Trade, assembler, trade


class Kept(OrderedPublisher):
    """Keeps all that was told, and the gaps among it."""

    events: list[Event]
    gaps: list[TradeGapChanged]

    def put(self, item: Outgoing) -> None:
        self.events.append(item.event)
        if isinstance(item.event, TradeGapChanged):
            self.gaps.append(item.event)


def _nobody(_: object) -> None: ...


class Stream:
    """A running ingest of one symbol whose venue is a script. `age_ms`: how old its trades are."""

    def __init__(self) -> None:
        self.age_ms = 600_000
        self.publisher = Kept(MemoryProducer(MemoryBus()), _nobody)
        self.publisher.gaps, self.publisher.events = [], []
        self.core = assembler(Resume(0, START, START))
        self.clock = VenueClock(START)
        venue = cast(Venue, SimpleNamespace(clock=self.clock))
        self.ingest = TradeIngest(venue, self.core, self.publisher, {})
        self.watch = SilenceWatch(self.ingest, cast(MarketData, None), self.clock, _nobody)
        self.ingest.listener = self.watch
        self.feed = StreamFeed(self.ingest, (SYMBOL,), _nobody)

    def _trade(self, agg_id: int) -> Trade:
        return trade(agg_id, START - self.age_ms + agg_id)

    def tells(self, *ids: int, line: int = 0) -> None:
        trades = cast(list[AggTrade], [self._trade(n) for n in ids])
        self.feed.on_batch(StreamBatch(trades=trades, newest_event_time=trades[-1].trade_time, line=line))

    def has_lines(self, *lines: int) -> None:
        self.feed.on_lines(frozenset(lines))

    def falls_silent(self) -> None:
        """The verdict of the silence watch."""
        self.watch.silent.add(SYMBOL)
        self.ingest.silent(SYMBOL, "it did not come")
        self.core.feeds[SYMBOL].tracker.distrust()

    def rest(self, *ids: int) -> None:
        tracker = self.core.feeds[SYMBOL].tracker
        self.ingest.fill(SYMBOL, [self._trade(n) for n in ids], Told(True, tracker.generation))
        self.ingest.health.tick()

    @property
    def causes(self) -> set[str]:
        return {gap.cause for gap in self.publisher.gaps}

    def closed(self) -> list[tuple[int, int]]:
        """Every gap as it ended, side by side joined."""
        self.ingest.health.tick()
        found: list[tuple[int, int]] = []
        for gap in self.publisher.gaps:
            if gap.outcome != "open":
                first, last = gap.first_missing_id, gap.last_missing_id
                assert gap.from_ms <= self._trade(first).trade_time
                assert gap.to_ms >= self._trade(last - gap.unfilled).trade_time
                found.append((found.pop()[0], last) if found and found[-1][1] + 1 == first else (first, last))
        return found


@pytest.fixture
async def stream() -> Stream:
    found = Stream()
    found.feed.on_open()
    found.tells(1, 2, 3)
    return found


async def test_an_answer_that_comes_after_the_cut_is_missed_as_a_whole(stream: Stream) -> None:
    stream.tells(7, 8)
    stream.feed.on_close("cut", silent=False)
    stream.rest(*range(4, 12))
    stream.feed.on_open()
    stream.tells(20)
    stream.rest(*range(12, 21))
    assert stream.closed() == [(4, 6), (9, 19)]


async def test_what_rest_tells_ahead_of_the_stream_is_no_gap_when_the_stream_tells_it_too(stream: Stream) -> None:
    stream.tells(7, 8)
    stream.rest(*range(4, 12))
    stream.tells(9, 10, 11, 12)
    assert stream.closed() == [(4, 6)]


async def test_what_rest_tells_ahead_of_the_stream_is_a_gap_when_the_stream_is_then_lost(stream: Stream) -> None:
    stream.tells(7, 8)
    stream.rest(*range(4, 12))
    stream.feed.on_close("cut", silent=False)
    stream.feed.on_open()
    stream.tells(12)
    stream.rest(13)
    assert stream.closed() == [(4, 6), (9, 11)]


async def test_the_first_trade_of_a_new_connection_decides_what_it_has_left_out(stream: Stream) -> None:
    stream.age_ms = 200
    stream.feed.on_close("cut", silent=False)
    stream.feed.on_open()
    stream.rest(*range(4, 9))
    stream.tells(7, 8, 9)
    assert stream.closed() == [(4, 6)]


async def test_what_rest_brought_while_the_stream_was_silent_is_a_gap_too_when_it_goes_on_behind_another(
    stream: Stream,
) -> None:
    stream.has_lines(0)
    stream.falls_silent()
    stream.age_ms = 200  # too young to be missed for certain
    stream.rest(*range(4, 11))
    stream.tells(14)
    stream.rest(*range(11, 15))
    stream.tells(15)
    assert stream.closed() == [(4, 13)]
    assert stream.causes == {"silent"}


async def test_what_a_silent_stream_did_not_bring_is_a_gap_before_it_is_published(stream: Stream) -> None:
    stream.has_lines(0)
    stream.falls_silent()
    stream.rest(*range(4, 11))
    assert stream.closed() == [(4, 10)]


@pytest.mark.parametrize("age_ms", [600_000, 200])
@pytest.mark.parametrize("begins", [11, 14])
async def test_a_silent_connection_that_is_replaced_leaves_its_gap(stream: Stream, age_ms: int, begins: int) -> None:
    stream.has_lines(0)
    stream.falls_silent()
    stream.age_ms = age_ms
    stream.rest(*range(4, 11))
    stream.has_lines(0, 1)
    stream.tells(begins, line=1)
    stream.core.feeds[SYMBOL].tracker.stop_waiting()
    stream.rest(*range(11, begins + 1))
    stream.tells(begins + 1, line=1)
    stream.has_lines(1)
    assert stream.closed() == [(4, begins - 1)]
    assert stream.causes == {"silent"}


@pytest.mark.parametrize("late", [(4, 5, 6, 7, 8, 9, 10), (4, 5, 8)])
async def test_what_a_slower_connection_still_tells_is_no_gap(stream: Stream, late: tuple[int, ...]) -> None:
    stream.has_lines(0, 1)
    stream.tells(1, 2, 3, line=1)
    stream.core.feeds[SYMBOL].tracker.distrust()
    stream.rest(*range(4, 11))
    stream.tells(11, line=0)
    stream.tells(*late, 11, line=1)
    stream.has_lines(1)
    missed = [number for first, last in stream.closed() for number in range(first, last + 1)]
    assert missed == sorted(set(range(4, 11)) - set(late))


async def test_what_two_connections_owe_is_a_gap_at_last(stream: Stream) -> None:
    """Of two that are kept for good, one may be silent about a symbol for hours, and nobody would know."""
    stream.has_lines(0, 1)
    stream.core.feeds[SYMBOL].tracker.distrust()
    stream.rest(*range(4, 11))
    stream.tells(11, line=0)
    assert stream.closed() == []
    stream.ingest.health.tick(time.monotonic() + 60)
    assert stream.closed() == [(4, 10)]


@pytest.mark.parametrize("told_again", [True, False])
async def test_an_id_that_never_was_hides_no_later_gap(stream: Stream, told_again: bool) -> None:
    stream.tells(500_100)
    if told_again:
        stream.tells(4, 5)
    else:
        feed = stream.core.feeds[SYMBOL]
        feed.tracker.forget_held(feed.last_time)
    stream.rest(4, 5)
    stream.feed.on_close("cut", silent=False)
    stream.rest(6, 7, 8)
    assert stream.closed()[1:] == [(6, 8)]


async def test_what_rest_told_ahead_of_a_stream_that_is_ended_is_a_gap(stream: Stream) -> None:
    stream.core.feeds[SYMBOL].tracker.distrust()
    stream.rest(*range(4, 9))
    stream.tells(4, 5)
    stream.ingest.ended()
    assert stream.closed() == [(6, 8)]


class Desk:
    """Plays a script of lines that come, go and fall silent while trades happen; `told`: the ids that some line has told."""

    def __init__(self, age_ms: int) -> None:
        self.stream = Stream()
        self.stream.age_ms = age_ms
        self.newest, self.told = 0, set[int]()
        self._lines: dict[int, bool] = {}
        self._opened = 0

    @property
    def published(self) -> int:
        return self.stream.core.feeds[SYMBOL].tracker.expected - 1

    def play(self, step: str, count: int) -> None:
        if step == "trade":
            self._trade(count)
        elif step == "open" and len(self._lines) < 2:
            self._lines[self._opened] = True
            self._opened += 1
            self.stream.has_lines(*self._lines)
            if len(self._lines) == 1:
                self.stream.feed.on_open()
        elif step == "close" and self._lines:
            del self._lines[min(self._lines)]
            self.stream.has_lines(*self._lines)
            if not self._lines:
                self.stream.feed.on_close("cut", silent=False)
        elif step in ("silence", "sound") and self._lines:
            self._lines[min(self._lines)] = step == "sound"
        elif step == "rest":
            self._rest()

    def _trade(self, count: int) -> None:
        ids = range(self.newest + 1, self.newest + count + 1)
        self.newest += count
        for line, sounds in sorted(self._lines.items(), reverse=count % 2 == 0):
            if sounds:
                self.told.update(ids)
                self.stream.tells(*ids, line=line)

    def _rest(self) -> None:
        """As the filler does, once the lines have had their second, or the silence watch has given its verdict."""
        tracker = self.stream.core.feeds[SYMBOL].tracker
        tracker.stop_waiting()
        if not self._lines or (tracker.state is Continuity.LIVE and self.published == self.newest):
            return
        if tracker.state is Continuity.LIVE:
            self.stream.falls_silent()
        self.stream.rest(*range(tracker.expected, self.newest + 1))


_steps = st.lists(
    st.tuples(st.sampled_from(["trade", "trade", "rest", "open", "close", "silence", "sound"]), st.integers(1, 4)),
    max_size=40,
)


@given(_steps, st.sampled_from([600_000, 200]))
def test_whatever_lines_do_each_id_that_none_has_told_is_in_one_gap(steps: list[tuple[str, int]], age_ms: int) -> None:
    async def played() -> Desk:
        desk = Desk(age_ms)
        for step, count in [("open", 1), ("trade", 3), *steps, ("open", 1), ("trade", 1), ("rest", 1)]:
            desk.play(step, count)
        desk.stream.ingest.ended()
        return desk

    desk = asyncio.run(played())
    assert desk.published == desk.newest
    gaps = [number for first, last in desk.stream.closed() for number in range(first, last + 1)]
    assert len(gaps) == len(set(gaps))
    assert set(range(4, desk.newest + 1)) - desk.told <= set(gaps)
