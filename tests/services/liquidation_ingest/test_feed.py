"""What the feed does with orders that cannot be what they say."""

from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace

from libs.exchanges import StreamBatch
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.metrics import REGISTRY
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.liquidation_ingest.feed import Channel, LiquidationFeed
from tests.libs.exchanges.test_forced_orders import ORDER


class Kept(OrderedPublisher):
    """Keeps what is put."""

    def __init__(self) -> None:
        self.kept: list[Outgoing] = []

    def put(self, item: Outgoing) -> None:
        self.kept.append(item)


async def test_a_forced_order_of_the_future_is_counted_and_the_next_one_passes() -> None:
    def dropped() -> float:
        labels = {"topic": "liquidations", "reason": "absurd_time"}
        return REGISTRY.get_sample_value("perpstream_records_dropped_total", labels) or 0.0

    clock, kept, before = VenueClock(ORDER.trade_time), Kept(), dropped()
    context = ServiceContext("liquidation_ingest", ProcessSettings())
    selection = LiquidationSelection(["ETHUSDT"])
    feed = LiquidationFeed(Channel(context, cast(Venue, SimpleNamespace(clock=clock)), kept, selection, 1))
    feed.join("ETHUSDT")
    future = replace(ORDER, trade_time=4_070_908_800_000)
    feed.on_batch(StreamBatch(forced_orders=[future, ORDER]))
    assert [item.event.event_time_ms for item in kept.kept] == [ORDER.trade_time]
    assert dropped() - before == 1
    assert clock.doubted.is_set()
