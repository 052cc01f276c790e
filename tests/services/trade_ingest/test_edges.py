"""The running ingest sends what lies beyond a grid edge soon, in one frame a partition, and the rest at its leisure."""

import asyncio
import time
from types import SimpleNamespace
from typing import cast

import pytest

from libs.contracts.codec import decode_as
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.exchanges import AggTrade, StreamBatch
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher
from services.trade_ingest import ingest as ingest_module
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.ingest import TradeIngest
from tests.services.processes import eventually
from tests.services.trade_ingest.test_assembler import START, SYMBOL, Trade, assembler, trade

OTHER = "ETHUSDT"
EDGE = (START // 1000 + 1) * 1000


def _nobody(_: object) -> None: ...


def _batch(*trades: Trade) -> StreamBatch:
    return StreamBatch(trades=cast(list[AggTrade], list(trades)), newest_event_time=trades[-1].trade_time)


async def test_trades_beyond_an_edge_go_soon_and_together_and_nothing_else_hurries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Long enough for the second symbol's turn of the loop on any machine.
    monkeypatch.setattr(ingest_module, "EDGE_SECONDS", 0.3)
    bus, core = MemoryBus(), assembler(rows_per_frame=100, symbols=(SYMBOL, OTHER))
    publisher = OrderedPublisher(MemoryProducer(bus), _nobody)
    venue = cast(Venue, SimpleNamespace(clock=VenueClock(START, paced=False)))
    ingest = TradeIngest(venue, core, publisher, {})
    feed = StreamFeed(ingest, (SYMBOL, OTHER), _nobody)

    def frames() -> list[AggTradeFrame]:
        return [decode_as(AggTradeFrame, record.value) for record in bus.records(AGGTRADE.name)]

    async def sent() -> bool:
        return bool(frames())

    working = [asyncio.create_task(publisher.run()), asyncio.create_task(ingest.send_edges())]
    feed.on_batch(_batch(trade(1, START + 1)))
    assert not core.waits_beyond_an_edge
    feed.on_batch(_batch(trade(2, EDGE)))
    second_comes_us = time.time_ns() // 1000
    await asyncio.sleep(0.02)  # the venue's own distance between two symbols' first trades
    feed.on_batch(_batch(trade(3, EDGE + 1), trade(1, EDGE + 1, symbol=OTHER)))
    await eventually(sent, 5, lambda: "no frame, and no flush was asked for")
    feed.on_batch(_batch(trade(4, EDGE + 2)))
    for task in working:
        task.cancel()
    assert [{part.symbol: part.rows for part in frame.slices} for frame in frames()] == [{SYMBOL: 3, OTHER: 1}]
    assert frames()[0].received_us <= second_comes_us, "the delay counts from the first trade beyond the edge"
    assert ingest.assembler.feeds[SYMBOL].builder.rows == 1, "a trade that crosses no edge waits for the next flush"
