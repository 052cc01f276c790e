"""The venue suite over the adapters, each against the simulated venue's wire; and the streams it sends."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from infra.local.ports import free_port
from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.binance import urls as binance_urls
from libs.exchanges.binance.stream import BinanceStreams, stream_names
from libs.exchanges.session import SessionOptions
from libs.exchanges.venue import Venue, addresses, first_instruments, keep_clock, open_venue
from libs.kit.clock import SystemClock, VenueClock
from libs.kit.settings import VenueSettings
from tests.services.processes import ServiceProcess, eventually
from tests.suites.venue_suite import market_data_suite

pytestmark = pytest.mark.integration


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    port = free_port()
    simulator = ServiceProcess(
        "exchange_simulator",
        {
            "PERPSTREAM_SIM_PORT": str(port),
            "PERPSTREAM_SIM_STATE_DIR": str(tmp_path / "simulator"),
            "PERPSTREAM_HEALTH_PORT": "0",
        },
        tmp_path / "venue.log",
    )
    simulator.start()
    url = f"http://127.0.0.1:{port}"
    settings = VenueSettings(
        binance_rest_url=url,
        binance_websocket_url=url.replace("http", "ws"),
        binance_spot_rest_url=url,
        coinbase_rest_url=url,
    )
    async with open_venue(settings) as opened:
        yield opened
    simulator.stop()


class Listener:
    """A `StreamHandler` that notes what happens."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.trades = asyncio.Event()
        self.marks = asyncio.Event()

    def on_connecting(self) -> None:
        self.seen.append("connecting")

    def on_lines(self, lines: frozenset[int]) -> None:
        self.lines = len(lines)

    def on_open(self) -> None:
        self.seen.append("open")

    def on_batch(self, batch: StreamBatch) -> None:
        if batch.trades:
            self.trades.set()
        if batch.mark_prices:
            self.marks.set()

    def on_close(self, reason: str, silent: bool) -> None:
        self.seen.append("silent" if silent else "closed")


async def test_the_adapter_keeps_the_ports_promises_and_streams_rotate_without_a_break(venue: Venue) -> None:
    await market_data_suite(venue.market_data, "BTCUSDT")
    assert float((await venue.spot.ticker("BTCUSDT")).price) > 0
    now = venue.clock.now_ms()
    for ticker in (await venue.coinbase.ticker("BTC-USD"), await venue.spot.ticker("BTCUSDT")):
        assert now - 60_000 < ticker.time <= now + 60_000
        assert ticker.raw[:1] == b"{"
    listener = Listener()
    wanted = Subscription(trades=("BTCUSDT",), mark_prices=("BTCUSDT",))
    session = venue.streams.session(wanted, listener, SessionOptions("test", rotate_seconds=1.0))
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(30):
        for _ in range(3):
            listener.trades.clear()
            listener.marks.clear()
            await listener.trades.wait()
            await listener.marks.wait()
    running.cancel()
    assert listener.seen == ["connecting", "open"], "changing over is no interruption"


async def test_a_doubted_clock_is_compared_with_the_venue_at_once(venue: Venue) -> None:
    venue.clock.synchronise(0)  # as after a machine has slept: our time stands far behind the venue's
    assert not venue.clock.believes(SystemClock().now_ms())
    keeping = asyncio.create_task(keep_clock(venue))

    async def compared() -> bool:
        return not venue.clock.doubted.is_set()

    await eventually(compared, 10, lambda: "the clock is compared")
    keeping.cancel()
    assert venue.clock.believes(SystemClock().now_ms())


def test_each_kind_of_message_has_its_stream_name() -> None:
    wanted = Subscription(trades=("BTCUSDT", "ETHUSDT"), mark_prices=("BTCUSDT",), forced_orders=("ETHUSDT",))
    assert stream_names(wanted) == [
        "btcusdt@aggTrade",
        "ethusdt@aggTrade",
        "btcusdt@markPrice@1s",
        "ethusdt@forceOrder",
    ]
    everything = Subscription(every_forced_order=True, mark_prices=("BTCUSDT",))
    assert stream_names(everything) == ["btcusdt@markPrice@1s", "!forceOrder@arr"]
    assert stream_names(Subscription(every_mark_price=True)) == ["!markPrice@arr@1s"]


def test_more_streams_than_a_connection_may_carry_are_refused_before_anything_is_opened() -> None:
    wanted = Subscription(trades=tuple(f"S{number}USDT" for number in range(1025)))
    with pytest.raises(ValueError, match="1025 streams exceed"):
        BinanceStreams("ws://nowhere", VenueClock(0, 1)).session(wanted, Listener(), SessionOptions("test"))


def test_production_addresses_unless_others_are_named() -> None:
    live = addresses(VenueSettings(venue="binance", coinbase_rest_url="http://127.0.0.1:1"))
    assert (live.rest, live.websocket) == (binance_urls.REST, binance_urls.WEBSOCKET)
    assert live.coinbase_rest == "http://127.0.0.1:1"
    assert addresses(VenueSettings()).rest == "http://127.0.0.1:9000"


async def test_a_ban_at_the_start_is_waited_out_and_not_forgotten(tmp_path: Path) -> None:
    """The venue bans us when it is asked for its symbols first: one question during the ban, then the answer."""
    asked: list[float] = []

    async def time_of_venue(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": time.time_ns() // 1_000_000})

    async def information(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        if len(asked) == 1:
            until = time.time_ns() // 1_000_000 + 1500
            return web.json_response(
                {"code": -1003, "msg": f"Way too many requests; banned until {until}."}, status=418
            )
        if len(asked) == 2:
            return web.Response(status=502, text="<html>bad gateway</html>")
        return web.json_response({"symbols": [], "rateLimits": []})

    application = web.Application()
    application.add_routes([web.get("/fapi/v1/time", time_of_venue), web.get("/fapi/v1/exchangeInfo", information)])
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    url = f"http://127.0.0.1:{port}"
    settings = VenueSettings(
        binance_rest_url=url, binance_websocket_url=url, binance_spot_rest_url=url, coinbase_rest_url=url
    )
    try:
        async with open_venue(settings) as venue:
            assert await asyncio.wait_for(first_instruments(venue, ()), 30) == {}
    finally:
        await runner.cleanup()
    assert len(asked) == 3
    assert asked[1] - asked[0] >= 1.4
