"""Signed requests: the encoded query is built once, signed as it is, and sent as it is. Source: reference facts, 3.3.

Everything goes into the query, whatever the method: the venue takes it from there for all of them, and body and query together
would be signed without a mark between them.
"""

from urllib.parse import quote, urlencode

import aiohttp

from libs.exchanges.credentials import Credentials
from libs.exchanges.errors import VenueError
from libs.exchanges.http import HttpClient, Prepared, Question
from libs.exchanges.limiter import Limiter
from libs.exchanges.trading import NotSent
from libs.kit.clock import VenueClock

API_KEY_HEADER = "X-MBX-APIKEY"
WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
RECV_WINDOW_MS = 2_000
"""So long a request is good at the venue: after it, one that was never seen will not be carried out any more."""
BEFORE_MS = "before_ms"
"""A parameter of ours that is not sent: the venue's time from which on the request shall count no more; its window ends there."""
WRONG_CLOCK = frozenset({-1021, -5028})


class KeyedHttpClient(HttpClient):
    """Requests that show the key and are not signed: listen keys."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        clock: VenueClock,
        limiter: Limiter,
        credentials: Credentials,
    ) -> None:
        super().__init__(session, base_url, clock, limiter, WEIGHT_HEADER)
        self._credentials = credentials
        self._venue_clock = clock

    def _prepared(self, question: Question) -> Prepared:
        return Prepared(urlencode(question.params), {API_KEY_HEADER: self._credentials.key})


class SignedHttpClient(KeyedHttpClient):
    """Requests of one key. A clock that the venue does not believe is put in doubt, so that whoever keeps it looks again."""

    async def get(self, question: Question, timeout_seconds: float = 10.0) -> bytes:
        try:
            return await super().get(question, timeout_seconds)
        except VenueError as error:
            if error.code in WRONG_CLOCK:
                self._venue_clock.doubted.set()
            raise

    def _prepared(self, question: Question) -> Prepared:
        given = dict(question.params)
        before_ms, now_ms = given.pop(BEFORE_MS, None), self._venue_clock.now_ms()
        if before_ms is not None and now_ms >= int(before_ms):
            raise NotSent(f"{question.path}: not sent, it was {now_ms - int(before_ms)} ms too late")
        window_ms = RECV_WINDOW_MS if before_ms is None else min(RECV_WINDOW_MS, int(before_ms) - now_ms)
        query = urlencode(given | {"recvWindow": window_ms, "timestamp": now_ms})
        signature = quote(self._credentials.signer.sign(query.encode()), safe="")
        return Prepared(f"{query}&signature={signature}", {API_KEY_HEADER: self._credentials.key})
