"""Symbols that come and go while questions are not answered: none waits for another, and nothing of a removed one is left."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Final, Self, cast

from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import FEEDSTATUS
from libs.exchanges import IndicatorValue, Instrument, MarkPrice, StreamBatch
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.session import StreamSession
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.metrics import REGISTRY
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.backfill import Backfill, HistorySource
from services.indicator_ingest.facts import Novelty
from services.indicator_ingest.mark_prices import STREAM
from services.indicator_ingest.membership import FirstRounds, MarkPrices, Membership
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poll, Poller
from services.indicator_ingest.schedules import SCHEDULES
from services.indicator_ingest.settings import IndicatorSettings
from tests.fakes.instruments import instrument
from tests.services.processes import eventually

NOW = 1_763_712_034_000
SYMBOL, OTHER = "XRPUSDT", "ADAUSDT"
FEED: Final = "open_interest"


def _nobody(_: object) -> None: ...


def _age(feed: str, symbol: str) -> float | None:
    return REGISTRY.get_sample_value("perpstream_feed_age_seconds", {"feed": feed, "symbol": symbol})


class Kept(OrderedPublisher):
    """Keeps what was told of feeds."""

    said: list[FeedStatusChanged]

    def put(self, item: Outgoing) -> None:
        if item.topic is FEEDSTATUS:
            self.said.append(cast(FeedStatusChanged, item.event))


class Data:
    """Knows every symbol."""

    def at(self, *_: object) -> Self:
        return self

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        return {symbol: instrument(symbol) for symbol in symbols}


class Desk:
    """The members of the service on a venue whose questions have no answer until `answer` is set."""

    def __init__(self) -> None:
        self.context = ServiceContext("indicator_ingest", ProcessSettings())
        self.context.expect(STREAM)
        self.answer, self.asked = asyncio.Event(), list[str]()
        self.publisher = Kept(MemoryProducer(MemoryBus()), _nobody)
        self.publisher.said = []
        outlet = Outlet(self.publisher, {}, Novelty(), "binance", VenueClock(NOW))
        streams = SimpleNamespace(session=lambda *_: cast(StreamSession, object()))
        venue = cast(Venue, SimpleNamespace(clock=outlet.clock, streams=streams, market_data=Data()))
        settings = IndicatorSettings.model_validate({"symbols_per_connection": 1})
        self.marks = MarkPrices(self.context, venue, outlet, MarkPriceSampler(), settings, SessionGroup())
        poller = Poller(Poll(SCHEDULES[FEED], self._ask), outlet, lambda: None)
        backfill = Backfill(cast(HistorySource, Data()), outlet, asyncio.Event())
        self.rounds = FirstRounds([poller], outlet.partitions, backfill)
        self.members = Membership(1, {}, self.rounds, self.marks)

    async def _ask(self, symbol: str, due: int) -> Sequence[IndicatorValue]:
        self.asked.append(symbol)
        await self.answer.wait()
        return [IndicatorValue(symbol=symbol, kind=FEED, period=None, time=NOW, values={FEED: "5"}, raw=b"{}")]

    def states(self, feed: str, symbol: str) -> list[str]:
        """What was said of it, oldest first."""
        return [event.state for event in self.publisher.said if (event.feed, event.symbol) == (feed, symbol)]


async def test_a_symbol_that_waits_for_its_first_answers_keeps_no_other_word_waiting() -> None:
    desk = Desk()
    rounds = asyncio.create_task(desk.rounds.run())

    async def asked() -> bool:
        return set(desk.asked) == {SYMBOL, OTHER}

    async def live() -> bool:
        return desk.states(FEED, OTHER) == ["live"]

    async with asyncio.timeout(10):
        await desk.members.add([SYMBOL])
        await desk.members.add([OTHER])
        await eventually(asked, 5, lambda: f"asked {desk.asked}")
        await desk.members.remove([SYMBOL])
    desk.answer.set()
    await eventually(live, 5, lambda: f"{desk.publisher.said}")
    assert desk.states(FEED, SYMBOL) == ["down"]
    assert (_age(FEED, SYMBOL), _age(FEED, OTHER) is None) == (None, False)
    await desk.members.remove([OTHER])
    assert _age(FEED, OTHER) is None
    rounds.cancel()


async def test_a_removal_makes_no_stream_ready_that_never_opened() -> None:
    desk = Desk()
    await desk.members.add([SYMBOL, OTHER])
    await desk.members.remove([OTHER])
    assert not desk.context.ready
    [feed] = desk.marks.feeds
    feed.on_open()
    assert desk.context.ready


async def test_the_age_of_a_removed_symbols_mark_price_is_no_figure_any_more() -> None:
    desk = Desk()
    await desk.members.add([SYMBOL])
    [feed] = desk.marks.feeds
    feed.on_batch(StreamBatch(mark_prices=[MarkPrice(
        symbol=SYMBOL, event_time=NOW, mark_price="2.5", index_price="2.4", estimated_settle_price=None,
        mark_price_average=None, funding_rate="0.0001", next_funding_time=NOW + 3_600_000,
    )]))  # fmt: skip
    assert _age("mark_price", SYMBOL) is not None
    await desk.members.remove([SYMBOL])
    assert _age("mark_price", SYMBOL) is None
