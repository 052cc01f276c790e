"""Coinbase's ticker: its number, price and time are of one instant, however long the answer takes."""

import datetime as dt

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.exchange_simulator.coinbase import Coinbase
from services.exchange_simulator.synthetic.source import SyntheticMarket, SyntheticMarketPlan

START_MS = 1_763_712_030_000


class HurryingTime:
    """A clock on which 300 ms go by at each look."""

    timer_speed = 1.0

    def __init__(self) -> None:
        self._now_ms = START_MS

    def now_ms(self) -> int:
        self._now_ms += 300
        return self._now_ms

    def timer_ms(self) -> float:
        return float(self._now_ms)


async def test_an_answers_number_is_of_its_time() -> None:
    market = SyntheticMarket(SyntheticMarketPlan(3, ("BTCUSDT",), 40.0, START_MS))
    server = web.Application()
    server.add_routes(Coinbase(market, HurryingTime()).routes())
    async with TestClient(TestServer(server)) as client:
        for _ in range(10):
            answer = await (await client.get("/products/BTC-USD/ticker")).json()
            moment = dt.datetime.fromisoformat(answer["time"])
            assert answer["trade_id"] == int(moment.timestamp())
            assert answer["price"] == market.coinbase_price("BTC-USD", round(moment.timestamp() * 1000))
