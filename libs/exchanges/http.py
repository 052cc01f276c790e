"""One way for all REST requests: budgets, venue headers, bounded retries, and errors as types."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from libs.exchanges.backoff import Backoff
from libs.exchanges.budget import LONGEST_BAN_MS, Pool
from libs.exchanges.decoding import UNREADABLE
from libs.exchanges.errors import AccessRefused, MalformedAnswer, RateLimited, VenueError, VenueUnavailable
from libs.exchanges.limiter import LIVE, Limiter, Turn
from libs.kit.clock import Clock
from libs.kit.metrics import counter

ATTEMPTS = 4
BAN_WITHOUT_TERM_MS = 120_000
# A 429 ends with its window, of which the longest has 5 minutes: twice that is still one question a window, which nobody takes
# for going on.
LONGEST_LIMIT_MS = 2 * 300_000
# exchangeInfo of all 600 symbols has 1 to 2 MB, everything else less than that.
LARGEST_BODY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
LONGEST_MESSAGE = 200
_BANNED_UNTIL = re.compile(r"banned until ([0-9]{13})(?![0-9])")
TOO_MANY_ORDERS = -1015
_RETRIABLE_CODES = frozenset({-1000, -1001, -1006, -1007, -1008, -1016})


class _ErrorBody(msgspec.Struct):
    code: int | str = 0
    msg: str = ""
    message: str = ""


Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request: `path` below the base URL, its parameters, what it costs, from which pool, and how it waits for its turn. Not
    `exact`: the venue's weight header is known to be wrong on this path. `attempts`: 1 for what must not be done twice.
    `order_pools`: counters of orders that it counts in too, one each."""

    path: str
    params: Mapping[str, str | int]
    weight: int
    pool: Pool
    turn: Turn = LIVE
    exact: bool = True
    method: Method = "GET"
    attempts: int = ATTEMPTS
    order_pools: tuple[Pool, ...] = ()


class Answer(NamedTuple):
    """A body, and when its question left and it was complete (s of the monotonic clock)."""

    body: bytes
    asked: float
    answered: float


class Prepared(NamedTuple):
    """What is sent: the query as it goes over the wire (signatures are over these very bytes), and headers."""

    query: str
    headers: Mapping[str, str]


class HttpClient:
    """Requests with back-off for one host of one venue.

    `weight_header` is read on every answer where a venue has such a header. Redirections are not followed: no venue has any,
    and whoever sends one would choose whom we ask. Raises `RateLimited`, `AccessRefused`, `MalformedAnswer` (a body beyond
    `LARGEST_BODY_BYTES`), `VenueError` (refused; repeating is useless) or `VenueUnavailable` (no answer after a few attempts).
    `RateLimited` also comes without asking, when the patience of a question's turn has ended.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, clock: Clock, limiter: Limiter, weight_header: str = ""
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._limiter = limiter
        self._venue = limiter.venue
        self._weight_header = weight_header

    async def get(self, question: Question, timeout_seconds: float = 10.0) -> bytes:
        """The body of a 200 answer."""
        return (await self.ask(question, timeout_seconds)).body

    async def ask(self, question: Question, timeout_seconds: float = 10.0) -> Answer:
        """A 200 answer with its times, which the wait for the turn is no part of."""
        backoff = Backoff(first_seconds=0.2, longest_seconds=2.0)
        problem = VenueUnavailable("not asked")
        for attempt in range(question.attempts):
            if attempt:
                await asyncio.sleep(backoff.next_seconds())
            await self._take_turn(question, question.pool, question.weight)
            for pool in question.order_pools:
                await self._take_turn(question, pool, 1)
            asked = time.monotonic()
            try:
                status, headers, body = await self._send(question, timeout_seconds)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._count(question, "unreachable")
                problem = VenueUnavailable(f"{self._base_url}{question.path}: {_said(error)}")
                continue
            answered = time.monotonic()
            self._count(question, str(status))
            await self._read_weight(question, headers)
            if status == 200:
                return Answer(body, asked, answered)
            failure = await self._failure(question, status, headers, body)
            if not isinstance(failure, VenueUnavailable):
                raise failure
            problem = failure
        raise problem

    async def _take_turn(self, question: Question, pool: Pool, weight: int) -> None:
        left = await self._limiter.take(pool, weight, question.turn)
        if left is not None:
            raise RateLimited(
                f"{self._venue} {question.path}: not asked, {self._limiter.why_not(pool, left)}",
                until_ms=self._clock.now_ms() + left.ms,
                banned=left.reason == "banned",
            )

    async def _send(self, question: Question, timeout_seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        prepared = self._prepared(question)
        url = URL(f"{self._base_url}{question.path}?{prepared.query}".rstrip("?"), encoded=True)
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with self._session.request(
            question.method,
            url,
            headers=prepared.headers,
            timeout=timeout,
            allow_redirects=False,
            middlewares=(_sent_once,),
        ) as response:
            return response.status, response.headers, await self._body(question, response)

    def _prepared(self, question: Question) -> Prepared:
        """The query and headers of an attempt, written right before it leaves."""
        return Prepared(urlencode(question.params), {})

    async def _body(self, question: Question, response: aiohttp.ClientResponse) -> bytes:
        """The unpacked body, read in pieces: a megabyte of packed zeros would be a gigabyte before anybody looked at it. Of a
        refusal only the beginning counts, so that a ban is one however long it is worded."""
        body = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if response.status != 200 and len(body) >= CHUNK_BYTES:
                response.close()
                break
            if len(body) > LARGEST_BODY_BYTES:
                response.close()
                self._count(question, "too_large")
                text = f"{self._venue} {question.path}: a body of more than {LARGEST_BODY_BYTES} bytes"
                raise MalformedAnswer(text, status=response.status)
        return bytes(body)

    def _count(self, question: Question, status: str) -> None:
        counter("perpstream_requests_total").labels(self._venue, question.path, status).inc()

    async def _read_weight(self, question: Question, headers: Mapping[str, str]) -> None:
        counted = self._weight_header and question.exact
        used = _whole_number(headers.get(self._weight_header, "")) if counted else None
        if used is not None:
            await self._limiter.report(question.pool, used, question.pool.left_of_window(self._clock.now_ms()))

    async def _failure(self, question: Question, status: int, headers: Mapping[str, str], body: bytes) -> VenueError:
        code, message, said = _error_of(body)
        text = f"{self._venue} {question.path}: {status} {code} {message}".rstrip()
        if status in (418, 429):
            return await self._refused(
                question, RateLimited(text, until_ms=0, banned=status == 418, code=code), headers
            )
        if status in (401, 403, 451):
            return AccessRefused(text, status=status, code=code, said=said)
        if status >= 500 or status == 408 or code in _RETRIABLE_CODES:
            return VenueUnavailable(text, status=status, code=code, said=said)
        return VenueError(text, status=status, code=code, said=said)

    async def _refused(self, question: Question, error: RateLimited, headers: Mapping[str, str]) -> RateLimited:
        """Hold back whoever asks from the counter that is full: too many orders are no reason to ask for no position."""
        of_orders = error.code == TOO_MANY_ORDERS and not error.banned
        named = [pool for pool in question.order_pools if f"per {pool.window_ms // 1000} SECOND" in str(error)]
        for pool in (named or question.order_pools) if of_orders and question.order_pools else (question.pool,):
            until = self._limited_until(pool, error, headers)
            await self._limiter.refuse(pool, until - self._clock.now_ms(), banned=error.banned)
            error.until_ms = max(error.until_ms, until)
        return error

    def _limited_until(self, pool: Pool, error: RateLimited, headers: Mapping[str, str]) -> int:
        """Source order: "banned until" in the message, Retry-After, else the end of the window (2 minutes for a ban). A term that
        is over says nothing, and none is believed to be further away than the venue's longest."""
        now = self._clock.now_ms()
        after = _whole_number(headers.get("Retry-After", ""))
        until = now if after is None else now + after * 1000
        if named := _BANNED_UNTIL.search(str(error)):
            until = int(named.group(1))
        if until <= now:
            return now + BAN_WITHOUT_TERM_MS if error.banned else now + pool.left_of_window(now)
        return min(until, now + (LONGEST_BAN_MS if error.banned else LONGEST_LIMIT_MS))


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """When a connection breaks, the library sends all but a POST a second time by itself: with the old time, in no budget.
    While a venue carried out requests and cut connections, that was twice the weight that we counted, and a ban."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


def _said(error: Exception) -> str:
    """The library's text names TLS defaults on addresses without TLS; the system's own reason says it all."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError):  # its text has the whole address, signature included
        return f"no proper answer: {error.message}"
    return str(error) or type(error).__name__


def _whole_number(text: str) -> int | None:
    """A header's number; None for everything else that `str.isdigit` and `int` let pass or choke on."""
    return int(text) if len(text) <= 12 and text.isascii() and text.isdigit() else None


def _error_of(body: bytes) -> tuple[int, str, str]:
    """The code, words for a person, and the venue's own words: none where the body is a page of somebody between us."""
    try:
        error = msgspec.json.decode(body, type=_ErrorBody)
        message = (error.msg or error.message)[:LONGEST_MESSAGE]
        return int(error.code), message, message
    except UNREADABLE:
        return 0, body[:120].decode(errors="replace"), ""
