"""Coinbase Exchange's public REST ticker; ten requests a second per address, of which we need far fewer."""

import aiohttp

from libs.exchanges import Ticker
from libs.exchanges.budget import Pool
from libs.exchanges.coinbase.parse import parse_ticker
from libs.exchanges.http import HttpClient, Question
from libs.exchanges.limiter import Limiter
from libs.kit.clock import Clock

POOL = Pool("requests", limit=10, window_ms=1000)


class CoinbaseSpot:
    """The port's `SpotTicker` for Coinbase."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, clock: Clock, limiter: Limiter) -> None:
        self._http = HttpClient(session, base_url, clock, limiter)

    async def ticker(self, product: str) -> Ticker:
        question = Question(f"/products/{product}/ticker", {}, 1, POOL)
        return parse_ticker(await self._http.get(question), product)
