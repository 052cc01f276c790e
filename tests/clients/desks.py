"""A trader's few deeds in three client libraries, each by the library's own methods, so that one story can be told of all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import ccxt.pro
from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.websocket_streams.models import AlgoUpdate, OrderTradeUpdate

from tests.services.exchange_simulator.running import Running

SYMBOL = "BTCUSDT"
QUANTITY = 0.01
Kind = Literal["order", "algo"]


@dataclass(frozen=True, slots=True)
class Told:
    """An order and its status in the venue's word: what a question or the user stream says of it."""

    kind: Kind
    order_id: str
    status: str


Heard = asyncio.Queue[Told]


class Desk(Protocol):
    """One library with a key. Ids are words; `kind` says of which of the two endpoints an order is."""

    heard: Heard
    """What the user stream tells, as it comes."""

    async def buy(self) -> str:
        """At market; the order's id."""

    async def leave(self, price: float) -> str:
        """A limit order in the book, to buy."""

    async def stop(self, price: float) -> str:
        """A reduce-only stop, by the endpoint of conditional orders."""

    async def status(self, kind: Kind, order_id: str) -> Told:
        """What a question about one order is answered."""

    async def open(self, kind: Kind) -> list[str]:
        """The ids of those that wait."""

    async def cancel(self, kind: Kind, order_id: str) -> None:
        """Of one order."""

    async def position(self) -> float:
        """Of the symbol."""

    async def balance(self) -> float:
        """What the account holds of USDT, without what open positions have won or lost."""


@dataclass
class OfficialDesk:
    """The exchange's own client; its REST half blocks."""

    rest: Any
    heard: Heard

    async def _ask(self, name: str, **fields: Any) -> Any:
        return (await asyncio.to_thread(getattr(self.rest, name), **fields)).data()

    async def buy(self) -> str:
        return str((await self._ask("new_order", symbol=SYMBOL, side="BUY", type="MARKET", quantity=QUANTITY)).order_id)

    async def leave(self, price: float) -> str:
        order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": QUANTITY}
        return str((await self._ask("new_order", **order, price=price)).order_id)

    async def stop(self, price: float) -> str:
        order = {"symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": QUANTITY, "trigger_price": price}
        placed = await self._ask("new_algo_order", algo_type="CONDITIONAL", **order, reduce_only="true")
        return str(placed.algo_id)

    async def status(self, kind: Kind, order_id: str) -> Told:
        if kind == "algo":
            algo = await self._ask("query_algo_order", algo_id=int(order_id))
            return Told(kind, str(algo.algo_id), algo.algo_status)
        order = await self._ask("query_order", symbol=SYMBOL, order_id=int(order_id))
        return Told(kind, str(order.order_id), order.status)

    async def open(self, kind: Kind) -> list[str]:
        if kind == "algo":
            return [str(one.algo_id) for one in await self._ask("current_all_algo_open_orders", symbol=SYMBOL)]
        return [str(one.order_id) for one in await self._ask("current_all_open_orders", symbol=SYMBOL)]

    async def cancel(self, kind: Kind, order_id: str) -> None:
        if kind == "algo":
            await self._ask("cancel_algo_order", algo_id=int(order_id))
        else:
            await self._ask("cancel_order", symbol=SYMBOL, order_id=int(order_id))

    async def position(self) -> float:
        [held] = await self._ask("position_information_v3", symbol=SYMBOL)
        return float(held.position_amt)

    async def balance(self) -> float:
        assets = await self._ask("futures_account_balance_v3")
        return next(float(one.balance) for one in assets if one.asset == "USDT")


@asynccontextmanager
async def official_desk(venue: Running) -> AsyncIterator[Desk]:
    key, heard = venue.api_key, Heard()
    client: Any = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(base_path=venue.url, retries=0, api_key=key.key, api_secret=key.secret),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=venue.url.replace("http", "ws") + "/stream"),
    )

    def note(message: Any) -> None:
        event: Any = message.actual_instance
        if isinstance(message.actual_instance, OrderTradeUpdate):
            heard.put_nowait(Told("order", str(event.o.i), event.o.X))
        elif isinstance(message.actual_instance, AlgoUpdate):
            heard.put_nowait(Told("algo", str(event.o.aid), event.o.X))

    desk = OfficialDesk(client.rest_api, heard)
    listen_key = (await desk._ask("start_user_data_stream")).listen_key
    connection = await client.websocket_streams.create_connection()
    try:
        (await connection.user_data(listen_key)).on("message", note)
        yield desk
    finally:
        await connection.close_connection(close_session=True)


@dataclass
class CcxtDesk:
    """ccxt's unified methods; `trigger` asks the endpoint of conditional orders."""

    exchange: Any
    heard: Heard
    symbol: str = "BTC/USDT:USDT"

    async def buy(self) -> str:
        return str((await self.exchange.create_order(self.symbol, "market", "buy", QUANTITY))["id"])

    async def leave(self, price: float) -> str:
        return str((await self.exchange.create_order(self.symbol, "limit", "buy", QUANTITY, price))["id"])

    async def stop(self, price: float) -> str:
        more = {"stopLossPrice": price, "reduceOnly": True}
        return str((await self.exchange.create_order(self.symbol, "market", "sell", QUANTITY, None, more))["id"])

    async def status(self, kind: Kind, order_id: str) -> Told:
        return told_by_ccxt(kind, await self.exchange.fetch_order(order_id, self.symbol, trigger_of(kind)))

    async def open(self, kind: Kind) -> list[str]:
        found = await self.exchange.fetch_open_orders(self.symbol, params=trigger_of(kind))
        return [str(order["id"]) for order in found]

    async def cancel(self, kind: Kind, order_id: str) -> None:
        await self.exchange.cancel_order(order_id, self.symbol, trigger_of(kind))

    async def position(self) -> float:
        [held] = await self.exchange.fetch_positions([self.symbol])
        return float(held["contracts"])

    async def balance(self) -> float:
        # Its own `total` moves with the position's worth.
        assets = (await self.exchange.fetch_balance())["info"]["assets"]
        return next(float(one["walletBalance"]) for one in assets if one["asset"] == "USDT")

    async def listen(self) -> None:
        while True:
            for order in await self.exchange.watch_orders(self.symbol):
                self.heard.put_nowait(told_by_ccxt("algo" if "aid" in order["info"] else "order", order))


def trigger_of(kind: Kind) -> dict[str, bool]:
    return {"trigger": True} if kind == "algo" else {}


def told_by_ccxt(kind: Kind, order: dict[str, Any]) -> Told:
    """Its own words are unified ones."""
    words = {"open": "NEW", "closed": "FILLED", "canceled": "CANCELED"}
    return Told(kind, str(order["id"]), words[order["status"]])


@asynccontextmanager
async def ccxt_desk(venue: Running) -> AsyncIterator[Desk]:
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
    desk = CcxtDesk(exchange, Heard())
    listening: asyncio.Task[None] | None = None
    try:
        await exchange.load_markets()
        await exchange.authenticate({"type": "swap", "subType": "linear"})
        listening = asyncio.create_task(desk.listen())
        yield desk
    finally:
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        await exchange.close()


@dataclass
class PythonBinanceDesk:
    """python-binance; a stop that is placed as an order goes to the endpoint of conditional orders by itself."""

    client: Any
    heard: Heard

    async def _order(self, **fields: Any) -> Any:
        return await self.client.futures_create_order(symbol=SYMBOL, quantity=QUANTITY, **fields)

    async def buy(self) -> str:
        return str((await self._order(side="BUY", type="MARKET"))["orderId"])

    async def leave(self, price: float) -> str:
        return str((await self._order(side="BUY", type="LIMIT", timeInForce="GTC", price=price))["orderId"])

    async def stop(self, price: float) -> str:
        return str((await self._order(side="SELL", type="STOP_MARKET", stopPrice=price, reduceOnly=True))["algoId"])

    async def status(self, kind: Kind, order_id: str) -> Told:
        if kind == "algo":
            algo = await self.client.futures_get_algo_order(algoId=order_id)
            return Told(kind, str(algo["algoId"]), algo["algoStatus"])
        order = await self.client.futures_get_order(symbol=SYMBOL, orderId=order_id)
        return Told(kind, str(order["orderId"]), order["status"])

    async def open(self, kind: Kind) -> list[str]:
        if kind == "algo":
            return [str(one["algoId"]) for one in await self.client.futures_get_open_algo_orders(symbol=SYMBOL)]
        return [str(one["orderId"]) for one in await self.client.futures_get_open_orders(symbol=SYMBOL)]

    async def cancel(self, kind: Kind, order_id: str) -> None:
        if kind == "algo":
            await self.client.futures_cancel_algo_order(algoId=order_id)
        else:
            await self.client.futures_cancel_order(symbol=SYMBOL, orderId=order_id)

    async def position(self) -> float:
        [held] = await self.client.futures_position_information(symbol=SYMBOL)
        return float(held["positionAmt"])

    async def balance(self) -> float:
        assets = await self.client.futures_account_balance()
        return next(float(one["balance"]) for one in assets if one["asset"] == "USDT")

    async def listen(self, socket: Any) -> None:
        while True:
            event = await socket.recv()
            if event["e"] == "ORDER_TRADE_UPDATE":
                self.heard.put_nowait(Told("order", str(event["o"]["i"]), event["o"]["X"]))
            elif event["e"] == "ALGO_UPDATE":
                self.heard.put_nowait(Told("algo", str(event["o"]["aid"]), event["o"]["X"]))


@asynccontextmanager
async def python_binance_desk(venue: Running) -> AsyncIterator[Desk]:
    client: Any = AsyncClient(venue.api_key.key, venue.api_key.secret)
    client.FUTURES_URL = f"{venue.url}/fapi"
    manager: Any = BinanceSocketManager(client)
    manager.FSTREAM_URL = venue.url.replace("http", "ws") + "/"
    desk = PythonBinanceDesk(client, Heard())
    try:
        async with manager.futures_user_socket() as socket:
            listening = asyncio.create_task(desk.listen(socket))
            try:
                yield desk
            finally:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening
    finally:
        await client.close_connection()


DESKS: dict[str, Callable[[Running], AbstractAsyncContextManager[Desk]]] = {
    "binance-sdk-derivatives-trading-usds-futures": official_desk,
    "ccxt": ccxt_desk,
    "python-binance": python_binance_desk,
}
