"""Which of the rows that REST brings were missed by the stream: gaps are what the stream never told, no more and no less."""

from types import SimpleNamespace
from typing import cast

import pytest

from libs.contracts.market import TradeGapChanged
from libs.exchanges import AggTrade, StreamBatch
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.trade_ingest.assembler import Resume
from services.trade_ingest.continuity import Told
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.ingest import TradeIngest
from tests.services.trade_ingest.test_assembler import START, SYMBOL, Trade, assembler, trade


class Kept(OrderedPublisher):
    """Keeps the gaps that were told."""

    gaps: list[TradeGapChanged]

    def put(self, item: Outgoing) -> None:
        if isinstance(item.event, TradeGapChanged):
            self.gaps.append(item.event)


def _nobody(_: object) -> None: ...


class Stream:
    """A running ingest of one symbol whose venue is a script. `age_ms`: how old its trades are."""

    def __init__(self) -> None:
        self.age_ms = 600_000
        self.publisher = Kept(MemoryProducer(MemoryBus()), _nobody)
        self.publisher.gaps = []
        self.core = assembler(Resume(0, START, START))
        self.clock = VenueClock(START)
        venue = cast(Venue, SimpleNamespace(clock=self.clock))
        self.ingest = TradeIngest(venue, self.core, self.publisher, {})
        self.feed = StreamFeed(self.ingest, (SYMBOL,), _nobody)

    def _trade(self, agg_id: int) -> Trade:
        return trade(agg_id, START - self.age_ms + agg_id)

    def tells(self, *ids: int) -> None:
        trades = cast(list[AggTrade], [self._trade(n) for n in ids])
        self.feed.on_batch(StreamBatch(trades=trades, newest_event_time=trades[-1].trade_time))

    def rest(self, *ids: int) -> None:
        tracker = self.core.feeds[SYMBOL].tracker
        self.ingest.fill(SYMBOL, [self._trade(n) for n in ids], Told(True, tracker.generation))
        self.ingest.health.tick()

    def closed(self) -> list[tuple[int, int]]:
        """Every gap as it ended, side by side joined."""
        self.ingest.health.tick()
        found: list[tuple[int, int]] = []
        for gap in self.publisher.gaps:
            if gap.outcome != "open":
                first, last = gap.first_missing_id, gap.last_missing_id
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
