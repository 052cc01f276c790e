"""The running ingest sends what lies beyond a grid edge soon, in one frame a partition, and the rest at its leisure."""

import asyncio
from types import SimpleNamespace
from typing import cast

from libs.contracts.codec import decode_as
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.exchanges import AggTrade, StreamBatch
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.ingest import StreamFeed, TradeIngest
from tests.services.processes import eventually
from tests.services.trade_ingest.test_assembler import START, SYMBOL, Trade, assembler, trade

EDGE = (START // 1000 + 1) * 1000


def _nobody(_: object) -> None: ...


def _batch(*trades: Trade) -> StreamBatch:
    return StreamBatch(trades=cast(list[AggTrade], list(trades)), newest_event_time=trades[-1].trade_time)


async def test_trades_beyond_an_edge_go_soon_and_together_and_nothing_else_hurries() -> None:
    bus = MemoryBus()
    publisher = OrderedPublisher(MemoryProducer(bus), _nobody)
    venue = cast(Venue, SimpleNamespace(clock=VenueClock(START, paced=False)))
    ingest = TradeIngest(venue, assembler(rows_per_frame=100), publisher, {}, Origin("trade_ingest/0", 1))
    feed = StreamFeed(ingest, (SYMBOL,), _nobody)

    def frames() -> list[AggTradeFrame]:
        return [decode_as(AggTradeFrame, record.value) for record in bus.records(AGGTRADE.name)]

    async def sent() -> bool:
        return bool(frames())

    working = [asyncio.create_task(publisher.run()), asyncio.create_task(ingest.send_edges())]
    feed.on_batch(_batch(trade(1, START + 1)))
    assert not ingest.assembler.urgent
    feed.on_batch(_batch(trade(2, EDGE)))
    feed.on_batch(_batch(trade(3, EDGE + 1)))
    await eventually(sent, 5, lambda: "no frame, and no flush was asked for")
    feed.on_batch(_batch(trade(4, EDGE + 2)))
    for task in working:
        task.cancel()
    assert [part.rows for frame in frames() for part in frame.slices] == [3]
    assert ingest.assembler.feeds[SYMBOL].builder.rows == 1, "a trade that crosses no edge waits for the next flush"
