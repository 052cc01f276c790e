"""A trader on a running simulator: signs its requests like any client, and hears its user stream."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from yarl import URL

from services.exchange_simulator.private.keys import ApiKey
from tests.services.exchange_simulator.running import Running, receive

SYMBOL = "BTCUSDT"


@dataclass(frozen=True)
class Answer:
    """Status, JSON and headers of an answer."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Trader:
    """One key of one account."""

    venue: Running
    key: ApiKey

    def now_ms(self) -> int:
        return self.venue.simulation.clock.now_ms() + self.venue.simulation.desk.skew_ms

    def signature(self, payload: str) -> str:
        return hmac.new(self.key.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    async def send(self, method: str, path: str, **parameters: object) -> Answer:
        """A signed request, its parameters in the query."""
        given = {"timestamp": self.now_ms(), **parameters}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return await self.raw(method, f"{path}?{query}&signature={self.signature(query)}")

    async def post(self, path: str, **parameters: object) -> Answer:
        """A signed POST with everything in its body, which may be longer than a query."""
        body = urlencode({"timestamp": self.now_ms(), **parameters})
        return await self.raw("POST", path, f"{body}&signature={self.signature(body)}")

    async def raw(self, method: str, path_and_query: str, data: str | None = None) -> Answer:
        """A request as it is."""
        headers = {"X-MBX-APIKEY": self.key.key}
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = self.venue.url + path_and_query
        async with self.venue.http.request(method, URL(url, encoded=True), headers=headers, data=data) as answer:
            return Answer(answer.status, json.loads(await answer.read()), dict(answer.headers))

    async def ok(self, method: str, path: str, **parameters: object) -> Any:
        """The JSON of a signed request that must succeed."""
        answer = await self.send(method, path, **parameters)
        assert answer.status == 200, answer.body
        return answer.body

    async def code(self, method: str, path: str, **parameters: object) -> int:
        """The code of a signed request that must be refused."""
        answer = await self.send(method, path, **parameters)
        assert answer.status != 200, answer.body
        return int(answer.body["code"])

    async def buy(self, quantity: str = "0.010", **more: object) -> Any:
        """A market order."""
        given = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": quantity, **more}
        return await self.ok("POST", "/fapi/v1/order", **given)

    async def stop_near(self, **more: object) -> Any:
        """A stop just below the market, which a fast venue may have left meanwhile: then a little further below."""
        given = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", **more}
        for away in (-3, -6, -12, -24, -48):
            answer = await self.send("POST", "/fapi/v1/algoOrder", **given, triggerPrice=await self.price(away))
            if answer.status == 200:
                return answer.body
            assert answer.body["code"] == -2021, answer.body
        raise AssertionError("the market ran away from every stop")

    async def price(self, away: float = 0.0) -> str:
        """The best bid, or a price that many units away from it."""
        book = await self.venue.get("/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
        return f"{float(book['bidPrice']) + away:.1f}"

    async def listen_key(self) -> str:
        answer = await self.raw("POST", "/fapi/v1/listenKey")
        return str(answer.body["listenKey"])

    @asynccontextmanager
    async def stream(self, more: str = "") -> AsyncIterator["UserStream"]:
        """The user stream with a new or renewed listen key."""
        async with self.venue.socket(f"/private/ws?listenKey={await self.listen_key()}{more}") as socket:
            yield UserStream(socket)

    async def truth(self) -> Any:
        """The account as it really is."""
        return await self.venue.get("/sim/trading/accounts/main")

    async def entries(self, kind: str) -> list[dict[str, Any]]:
        """The trading ledger's entries of one kind."""
        return [one for one in await self.venue.get("/sim/trading/ledger") if one["kind"] == kind]


async def eventually(ask: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool], seconds: float = 10.0) -> Any:
    """The first answer that satisfies `enough`."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await ask()
            if enough(answer):
                return answer
            await asyncio.sleep(0.02)


@dataclass
class UserStream:
    """What a private connection hears."""

    socket: Any

    async def until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        return await receive(self.socket, enough)

    async def kinds(self, count: int) -> list[str]:
        """The types of the next events."""
        return [event["e"] for event in await self.until(lambda events: len(events) == count)]


def trader(venue: Running) -> Trader:
    """With the first key of the first account."""
    return Trader(venue, venue.api_key)
