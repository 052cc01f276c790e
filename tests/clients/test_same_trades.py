"""Three client libraries with nothing but their base addresses changed read the same trades, by REST and by WebSocket.

Each collects the stream, asks REST for the same ids, and both must equal what the simulated market itself says.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from services.exchange_simulator.app import Simulation
from tests.services.exchange_simulator.running import running

SYMBOL = "BTCUSDT"
COUNT = 120


@dataclass(frozen=True, slots=True)
class Trade:
    """An aggregate trade as any of the clients tells it; `taker_sells` is the venue's `m`."""

    agg_id: int
    price: Decimal
    quantity: Decimal
    time_ms: int
    taker_sells: bool


@dataclass(frozen=True, slots=True)
class Read:
    """What a client got: by stream, and by REST from the first id of the stream on."""

    streamed: list[Trade]
    asked: list[Trade]


def of_wire(message: Any) -> Trade:
    """The venue's own field names, as python-binance hands them on."""
    return Trade(message["a"], Decimal(message["p"]), Decimal(message["q"]), message["T"], message["m"])


def of_model(model: Any) -> Trade:
    """The official client's typed models."""
    return Trade(model.a, Decimal(model.p), Decimal(model.q), model.T, model.m)


def of_ccxt(trade: dict[str, Any]) -> Trade:
    """ccxt's unified trade; its exact strings stand in `info`."""
    price, amount = Decimal(trade["info"]["p"]), Decimal(trade["info"]["q"])
    assert (float(price), float(amount)) == (trade["price"], trade["amount"])
    return Trade(int(trade["id"]), price, amount, trade["timestamp"], trade["side"] == "sell")


async def by_official_sdk(url: str) -> Read:
    client: Any = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=url, retries=0),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=url.replace("http", "ws") + "/stream"),
    )
    connection = await client.websocket_streams.create_connection()
    streamed: list[Trade] = []
    enough = asyncio.Event()

    def note(message: Any) -> None:
        streamed.append(of_model(message))
        if len(streamed) >= COUNT:
            enough.set()

    try:
        handle = await connection.aggregate_trade_streams(symbol=SYMBOL.lower())
        handle.on("message", note)
        await enough.wait()
    finally:
        await connection.close_connection(close_session=True)
    ask = client.rest_api.compressed_aggregate_trades_list
    answer = await asyncio.to_thread(ask, symbol=SYMBOL, from_id=streamed[0].agg_id, limit=COUNT)
    return Read(streamed[:COUNT], [of_model(row) for row in answer.data()])


async def by_ccxt(url: str) -> Read:
    exchange: Any = ccxt.pro.binanceusdm({"newUpdates": True, "options": {"fetchMarkets": {"types": ["linear"]}}})
    for name, version in (("fapiPublic", "v1"), ("fapiPublicV2", "v2"), ("fapiPublicV3", "v3")):
        exchange.urls["api"][name] = f"{url}/fapi/{version}"
    exchange.urls["api"]["ws"]["linear"] = url.replace("http", "ws") + "/ws"
    symbol = "BTC/USDT:USDT"
    streamed: list[Trade] = []
    try:
        while len(streamed) < COUNT:
            streamed += map(of_ccxt, await exchange.watch_trades(symbol, params={"name": "aggTrade"}))
        asked = await exchange.fetch_trades(symbol, limit=COUNT, params={"fromId": streamed[0].agg_id})
    finally:
        await exchange.close()
    return Read(streamed[:COUNT], list(map(of_ccxt, asked)))


async def by_python_binance(url: str) -> Read:
    client: Any = AsyncClient()
    client.FUTURES_URL = f"{url}/fapi"
    manager: Any = BinanceSocketManager(client)
    manager.FSTREAM_URL = url.replace("http", "ws") + "/"
    streamed: list[Trade] = []
    try:
        async with manager.aggtrade_futures_socket(SYMBOL) as socket:
            while len(streamed) < COUNT:
                streamed.append(of_wire((await socket.recv())["data"]))
        rows = await client.futures_aggregate_trades(symbol=SYMBOL, fromId=streamed[0].agg_id, limit=COUNT)
    finally:
        await client.close_connection()
    return Read(streamed, [of_wire(row) for row in rows])


def truth(simulation: Simulation, first: int) -> list[Trade]:
    """What the market says, past every protocol."""
    rules = simulation.market.rules[SYMBOL]
    rows = simulation.market.trades_from_id(SYMBOL, first, COUNT, simulation.clock.now_ms())
    return [
        Trade(agg_id, Decimal(price) / rules.price_scale, Decimal(quantity) / rules.quantity_scale, time, maker)
        for agg_id, price, quantity, time, maker in zip(
            rows.ids.tolist(),
            rows.prices.tolist(),
            rows.quantities.tolist(),
            rows.trade_ms.tolist(),
            rows.maker.tolist(),
            strict=True,
        )
    ]


CLIENTS: dict[str, Callable[[str], Awaitable[Read]]] = {
    "binance-sdk-derivatives-trading-usds-futures": by_official_sdk,
    "ccxt": by_ccxt,
    "python-binance": by_python_binance,
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_reads_the_simulators_trades_by_stream_and_by_rest(client: str, tmp_path: Path) -> None:
    async with running(tmp_path, symbols=(SYMBOL, "ETHUSDT"), rate=400.0) as run, asyncio.timeout(40):
        read = await CLIENTS[client](run.url)
        expected = truth(run.simulation, read.streamed[0].agg_id)
    assert len(expected) == COUNT
    assert {trade.taker_sells for trade in expected} == {True, False}
    assert read.streamed == expected
    assert read.asked == expected
