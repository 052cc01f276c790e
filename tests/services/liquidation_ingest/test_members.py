"""Readiness while symbols come and go: a stream that has never opened is not there."""

from types import SimpleNamespace
from typing import cast

from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.session import StreamSession
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher
from services.liquidation_ingest.feed import STREAM, Channel, Membership
from services.liquidation_ingest.settings import LiquidationSettings


def _nobody(_: object) -> None: ...


async def test_a_removal_makes_no_stream_ready_that_never_opened() -> None:
    context = ServiceContext("liquidation_ingest", ProcessSettings())
    context.expect(STREAM)
    streams = SimpleNamespace(session=lambda *_: cast(StreamSession, object()))
    venue = cast(Venue, SimpleNamespace(clock=VenueClock(1_763_712_034_000), streams=streams))
    publisher = OrderedPublisher(MemoryProducer(MemoryBus()), _nobody)
    channel = Channel(context, venue, publisher, LiquidationSelection((), []), 1)
    members = Membership(channel, LiquidationSettings.model_validate({"symbols_per_connection": 1}), SessionGroup())
    members.take(("BTCUSDT", "ETHUSDT"))
    await members.remove(["ETHUSDT"])
    assert not context.ready
    [feed] = members.feeds
    feed.on_open()
    assert context.ready
    feed.on_close("cut", silent=False)
    await members.remove(["SOLUSDT"])
    assert not context.ready
