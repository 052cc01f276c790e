"""Coinbase Exchange's public ticker, REST and WebSocket, for the premium."""

import asyncio
import datetime as dt
from collections.abc import Iterable

import msgspec
from aiohttp import WSMsgType, web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.market import MarketSource
from services.exchange_simulator.rest.errors import reply

_decode = msgspec.json.decode
_TICKER_SECONDS = 1.0


class Coinbase:
    """`/products/{product}/ticker` and the feed at `/coinbase`; BTC-USD follows BTCUSDT with a premium."""

    def __init__(self, source: MarketSource, clock: VenueTime) -> None:
        self._source = source
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        """What the server has to route."""
        return [web.get("/products/{product}/ticker", self._ticker), web.get("/coinbase", self._feed)]

    def _prices(self, product: str, now: int) -> dict[str, str] | None:
        price = self._source.coinbase_price(product, now)
        if price is None:
            return None
        cents = round(float(price) * 100)
        moment = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
        return {
            "price": price,
            "bid": price,
            "ask": f"{(cents + 1) / 100:.2f}",
            "size": f"{(now // 1000 % 97 + 1) / 1000:.3f}",
            "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }

    async def _ticker(self, request: web.Request) -> web.Response:
        # One reading of the clock an answer: its number and its time are of the same trade.
        now = self._clock.now_ms()
        prices = self._prices(request.match_info["product"].upper(), now)
        if prices is None:
            return reply({"message": "NotFound"}, 404)
        return reply({"trade_id": now // 1000, **prices, "volume": "8123.10000000"})

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        wanted: dict[str, set[str]] = {}
        teller = asyncio.create_task(self._tell(socket, wanted))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._control(socket, message.data, wanted)
        finally:
            teller.cancel()
        return socket

    async def _control(self, socket: web.WebSocketResponse, text: str, wanted: dict[str, set[str]]) -> None:
        try:
            message = _decode(text, type=dict[str, object])
        except msgspec.DecodeError:
            return await socket.send_str('{"type":"error","message":"Malformed JSON"}')
        products, channels = _names(message.get("product_ids")), _names(message.get("channels"))
        if message.get("type") not in ("subscribe", "unsubscribe") or not products or not channels:
            return await socket.send_str('{"type":"error","message":"Failed to subscribe"}')
        now = self._clock.now_ms()
        unknown = [product for product in products if self._source.coinbase_price(product, now) is None]
        if unknown:
            reason = f"{unknown[0]} is not a valid product"
            return await socket.send_json({"type": "error", "message": "Failed to subscribe", "reason": reason})
        for channel in channels:
            held = wanted.setdefault(channel, set())
            held.update(products) if message["type"] == "subscribe" else held.difference_update(products)
        listed = [{"name": name, "product_ids": sorted(held)} for name, held in wanted.items() if held]
        return await socket.send_json({"type": "subscriptions", "channels": listed})

    async def _tell(self, socket: web.WebSocketResponse, wanted: dict[str, set[str]]) -> None:
        while not socket.closed:
            await asyncio.sleep(_TICKER_SECONDS / self._clock.timer_speed)
            for product in sorted(wanted.get("ticker", ())):
                await socket.send_json(self._ticker_message(product))
            for product in sorted(wanted.get("heartbeat", ())):
                now = self._clock.now_ms()
                prices, second = self._prices(product, now) or {}, now // 1000
                beat = {"type": "heartbeat", "last_trade_id": second, "product_id": product, "sequence": second}
                await socket.send_json({**beat, "time": prices.get("time")})

    def _ticker_message(self, product: str) -> dict[str, object]:
        now = self._clock.now_ms()
        prices, second = self._prices(product, now) or {}, now // 1000
        return {
            "type": "ticker",
            "sequence": second,
            "product_id": product,
            "price": prices.get("price"),
            "open_24h": prices.get("price"),
            "volume_24h": "8123.10000000",
            "low_24h": prices.get("price"),
            "high_24h": prices.get("price"),
            "volume_30d": "301234.50000000",
            "best_bid": prices.get("bid"),
            "best_bid_size": "0.12000000",
            "best_ask": prices.get("ask"),
            "best_ask_size": "0.40000000",
            "side": "buy" if second % 2 else "sell",
            "time": prices.get("time"),
            "trade_id": second,
            "last_size": prices.get("size"),
        }


def _names(value: object) -> list[str]:
    """Product or channel names; a channel may also be an object with a name."""
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        return []
    names = [item.get("name") if isinstance(item, dict) else item for item in value]
    return [name for name in names if isinstance(name, str)]
