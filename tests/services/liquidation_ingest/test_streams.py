"""The two ways to subscribe, over real sockets of the simulated venue: both tell the same orders, and each counts once."""

import json
from pathlib import Path

import pytest

from libs.contracts.market import LiquidationObserved
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.venue import open_venue
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings, load_settings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.liquidation_ingest.feed import Channel, LiquidationFeed
from services.liquidation_ingest.settings import LiquidationSettings
from tests.services.exchange_simulator.running import running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import beside, eventually

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
SPEED = 200.0
ENOUGH = 25


class Kept(OrderedPublisher):
    """Keeps the liquidations that are put."""

    def __init__(self) -> None:
        self.orders: list[LiquidationObserved] = []

    def put(self, item: Outgoing) -> None:
        if isinstance(item.event, LiquidationObserved):
            self.orders.append(item.event)


@pytest.mark.parametrize("all_market", [False, True])
async def test_every_order_of_ours_comes_once_over_two_sockets_and_nothing_else(
    tmp_path: Path, all_market: bool
) -> None:
    ours = SYMBOLS[:3]
    async with running(tmp_path, speed=SPEED) as run, open_venue(venue_settings(run.url, SPEED)) as venue:
        context = ServiceContext("liquidation_ingest", ProcessSettings())
        kept, selection = Kept(), LiquidationSelection(ours)
        feeds = [LiquidationFeed(Channel(context, venue, kept, selection, 1)) for _ in range(2)]
        settings = load_settings(LiquidationSettings).model_copy(update={"all_market": all_market})

        async def enough() -> bool:
            return len(kept.orders) >= ENOUGH and selection.duplicates >= ENOUGH

        async with beside(*(feed.session(ours, settings).run() for feed in feeds)):
            await eventually(enough, 60, lambda: f"{len(kept.orders)} orders, {selection.duplicates} copies")
        # The first and the last second may be cut; between them nothing may be missing.
        first, last = (edge(item.trade_time_ms // 1000 * 1000 for item in kept.orders) for edge in (min, max))
        first += 1_000
        names = frozenset(f"{symbol.lower()}@forceOrder" for symbol in ours)
        told = run.simulation.source.side_events(first, last + 1_000, names)
        orders = [json.loads(event.payload)["o"] for event in told]
        truth = [(order["s"], order["S"], order["T"]) for order in orders if first <= order["T"] < last]
    found = [(item.symbol, item.side, item.trade_time_ms) for item in kept.orders if first <= item.trade_time_ms < last]
    assert sorted(found) == sorted(truth)
    assert len({item.event_id for item in kept.orders}) == len(kept.orders)
    assert {item.symbol for item in kept.orders} <= set(ours)
