"""Three client libraries with nothing but base addresses and keys changed trade on the simulator, and hear what they did.

Each buys, leaves an order and a stop and cancels both; what it was told must be what the simulator says has happened.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from tests.services.exchange_simulator.running import Running, running

SYMBOL = "BTCUSDT"
QUANTITY = 0.01


@dataclass(frozen=True, slots=True)
class Traded:
    """Ids as the client was told them: its market order, its cancelled limit order and stop; `heard`: the order whose fill the
    user stream told; `position` as it reads it in the end."""

    bought: str
    cancelled: str
    stop: str
    heard: str
    position: float


async def by_official_sdk(venue: Running, low: float) -> Traded:
    key = venue.api_key
    rest_config = ConfigurationRestAPI(base_path=venue.url, retries=0, api_key=key.key, api_secret=key.secret)
    stream_config = ConfigurationWebSocketStreams(stream_url=venue.url.replace("http", "ws") + "/stream")
    client: Any = DerivativesTradingUsdsFutures(config_rest_api=rest_config, config_ws_streams=stream_config)

    async def ask(name: str, **fields: Any) -> Any:
        return (await asyncio.to_thread(getattr(client.rest_api, name), **fields)).data()

    heard: asyncio.Queue[str] = asyncio.Queue()

    def note(message: Any) -> None:
        order = getattr(message.actual_instance, "o", None)
        if order is not None and order.X == "FILLED":
            heard.put_nowait(str(order.i))

    listen_key = (await ask("start_user_data_stream")).listen_key
    connection = await client.websocket_streams.create_connection()
    try:
        (await connection.user_data(listen_key)).on("message", note)
        common = {"symbol": SYMBOL, "quantity": QUANTITY}
        bought = await ask("new_order", side="BUY", type="MARKET", **common)
        resting = await ask("new_order", side="BUY", type="LIMIT", time_in_force="GTC", price=low, **common)
        stop = {"algo_type": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "trigger_price": low, **common}
        waiting = await ask("new_algo_order", **stop, reduce_only="true")
        await ask("cancel_order", symbol=SYMBOL, order_id=resting.order_id)
        await ask("cancel_algo_order", algo_id=waiting.algo_id)
        [held] = await ask("position_information_v3", symbol=SYMBOL)
        told = await heard.get()
    finally:
        await connection.close_connection(close_session=True)
    ids = (str(bought.order_id), str(resting.order_id), str(waiting.algo_id))
    return Traded(*ids, told, float(held.position_amt))


async def by_ccxt(venue: Running, low: float) -> Traded:
    url, key = venue.url, venue.api_key
    options = {"fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False, "adjustForTimeDifference": True}
    exchange: Any = ccxt.pro.binanceusdm(
        {"apiKey": key.key, "secret": key.secret, "options": options, "newUpdates": True}
    )
    for name in ("fapiPublic", "fapiPrivate"):
        for suffix, version in (("", "v1"), ("V2", "v2"), ("V3", "v3")):
            exchange.urls["api"][f"{name}{suffix}"] = f"{url}/fapi/{version}"
    exchange.urls["api"]["ws"]["linear"] = url.replace("http", "ws") + "/ws"
    exchange.has["fetchCurrencies"] = False
    symbol = "BTC/USDT:USDT"
    try:
        await exchange.load_markets()
        watching = asyncio.create_task(_filled_by_ccxt(exchange, symbol))
        await exchange.authenticate({"type": "swap", "subType": "linear"})
        bought = await exchange.create_order(symbol, "market", "buy", QUANTITY)
        resting = await exchange.create_order(symbol, "limit", "buy", QUANTITY, low)
        stop = await exchange.create_order(
            symbol, "market", "sell", QUANTITY, None, {"stopLossPrice": low, "reduceOnly": True}
        )
        found = await exchange.fetch_open_orders(symbol)
        assert [order["id"] for order in found] == [resting["id"]]
        await exchange.cancel_order(resting["id"], symbol)
        await exchange.cancel_order(stop["id"], symbol, {"trigger": True})
        [held] = await exchange.fetch_positions([symbol])
        assert (await exchange.fetch_balance())["USDT"]["total"] < 10_000
        told = await watching
    finally:
        await exchange.close()
    return Traded(bought["id"], resting["id"], stop["id"], told, float(held["contracts"]))


async def _filled_by_ccxt(exchange: Any, symbol: str) -> str:
    while True:
        for order in await exchange.watch_orders(symbol):
            if order["status"] == "closed":
                return str(order["id"])


async def by_python_binance(venue: Running, low: float) -> Traded:
    client: Any = AsyncClient(venue.api_key.key, venue.api_key.secret)
    client.FUTURES_URL = f"{venue.url}/fapi"
    manager: Any = BinanceSocketManager(client)
    manager.FSTREAM_URL = venue.url.replace("http", "ws") + "/"
    common = {"symbol": SYMBOL, "quantity": QUANTITY}
    try:
        async with manager.futures_user_socket() as socket:
            bought = await client.futures_create_order(side="BUY", type="MARKET", **common)
            resting = await client.futures_create_order(
                side="BUY", type="LIMIT", timeInForce="GTC", price=low, **common
            )
            stop = await client.futures_create_order(
                side="SELL", type="STOP_MARKET", stopPrice=low, reduceOnly=True, **common
            )
            await client.futures_cancel_order(symbol=SYMBOL, orderId=resting["orderId"])
            await client.futures_cancel_algo_order(algoId=stop["algoId"])
            [held] = await client.futures_position_information(symbol=SYMBOL)
            told = None
            while told is None:
                event = await socket.recv()
                if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["X"] == "FILLED":
                    told = str(event["o"]["i"])
    finally:
        await client.close_connection()
    ids = (str(bought["orderId"]), str(resting["orderId"]), str(stop["algoId"]))
    return Traded(*ids, told, float(held["positionAmt"]))


CLIENTS: dict[str, Callable[[Running, float], Awaitable[Traded]]] = {
    "binance-sdk-derivatives-trading-usds-futures": by_official_sdk,
    "ccxt": by_ccxt,
    "python-binance": by_python_binance,
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_trades_and_is_told_what_has_happened(client: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 100.0, "start_time": None}
    async with running(tmp_path, **settings) as venue, asyncio.timeout(40):
        book = await venue.get("/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
        traded = await CLIENTS[client](venue, round(float(book["bidPrice"]) - 800, 1))
        truth = await venue.get("/sim/trading/accounts/main")
    orders = {str(order["orderId"]): order["status"] for order in truth["orders"]}
    assert orders == {traded.bought: "FILLED", traded.cancelled: "CANCELED"}
    assert {str(algo["algoId"]): algo["algoStatus"] for algo in truth["algo_orders"]} == {traded.stop: "CANCELED"}
    assert traded.heard == traded.bought
    assert [float(one["amount"]) for one in truth["positions"]] == [traded.position] == [QUANTITY]
