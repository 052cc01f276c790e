"""Mark prices come at the full second, when evaluations are due: they are sent behind those, in order, and none is lost."""

import asyncio
import time
from types import SimpleNamespace
from typing import cast

from libs.contracts.topics import MARKPRICE
from libs.exchanges import MarkPrice, StreamBatch
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.service import ServiceContext
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher
from services.indicator_ingest.facts import Novelty
from services.indicator_ingest.mark_prices import MarkPriceFeed
from services.indicator_ingest.outlet import Outlet
from tests.services.processes import eventually

NOW = 1_763_712_034_000


def _nobody(_: object) -> None: ...


def _mark(time_ms: int) -> MarkPrice:
    return MarkPrice(
        symbol="BTCUSDT", event_time=time_ms, mark_price="100.5", index_price="100.4", estimated_settle_price=None,
        mark_price_average=None, funding_rate="0.0001", next_funding_time=NOW + 3_600_000,
    )  # fmt: skip


def _feed(bus: MemoryBus, *, paced: bool = True) -> tuple[MarkPriceFeed, OrderedPublisher]:
    publisher, clock = OrderedPublisher(MemoryProducer(bus), _nobody), VenueClock(NOW, paced=paced)
    outlet = Outlet(publisher, {"BTCUSDT": 0}, Novelty(), "binance", clock)
    venue = cast(Venue, SimpleNamespace(clock=clock))
    feed = MarkPriceFeed(cast(ServiceContext, SimpleNamespace()), venue, outlet, MarkPriceSampler())
    feed.reports.join("BTCUSDT")
    return feed, publisher


async def test_mark_prices_follow_behind_the_evaluations_of_their_second() -> None:
    bus = MemoryBus()
    feed, publisher = _feed(bus)

    async def both() -> bool:
        return len(bus.records(MARKPRICE.name)) == 2

    told = time.monotonic()
    feed.on_batch(StreamBatch(mark_prices=[_mark(NOW), _mark(NOW + 2_000)]))
    sending = asyncio.create_task(publisher.run())
    await eventually(both, 5, lambda: "the mark prices were kept back for good")
    assert time.monotonic() - told >= 0.25, "they came before the evaluations of their second"
    sending.cancel()


async def test_an_orderly_end_sends_what_waits() -> None:
    bus = MemoryBus()
    feed, publisher = _feed(bus)
    feed.on_batch(StreamBatch(mark_prices=[_mark(NOW)]))
    feed.release()
    await publisher.drain()
    assert len(bus.records(MARKPRICE.name)) == 1


async def test_a_recording_at_full_speed_is_not_kept_waiting() -> None:
    bus = MemoryBus()
    feed, publisher = _feed(bus, paced=False)
    feed.on_batch(StreamBatch(mark_prices=[_mark(NOW)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await publisher.drain()
    assert len(bus.records(MARKPRICE.name)) == 1
