"""One GET for all public REST questions: budgets, venue headers, bounded retries, and errors as types."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from libs.exchanges.backoff import Backoff
from libs.exchanges.budget import RequestBudget
from libs.exchanges.errors import AccessRefused, RateLimited, VenueError, VenueUnavailable
from libs.kit.clock import Clock
from libs.kit.metrics import counter, gauge

ATTEMPTS = 4
BAN_WITHOUT_TERM_MS = 120_000
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_RETRIABLE_CODES = frozenset({-1000, -1001, -1006, -1007, -1008, -1016})


class _ErrorBody(msgspec.Struct):
    code: int | str = 0
    msg: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A GET: `path` below the base URL, its parameters, what it costs and from which budget."""

    path: str
    params: Mapping[str, str | int]
    weight: int
    budget: RequestBudget


class HttpClient:
    """GET with back-off for one host of one venue.

    `weight_header` is read on every answer where a venue has such a header. Raises `RateLimited`, `AccessRefused`,
    `VenueError` (refused; repeating is useless) or `VenueUnavailable` (no answer after a few attempts).
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, clock: Clock, *, venue: str, weight_header: str = ""
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._venue = venue
        self._weight_header = weight_header

    async def get(self, question: Question, timeout_seconds: float = 10.0) -> bytes:
        """The body of a 200 answer."""
        backoff = Backoff(first_seconds=0.2, longest_seconds=2.0)
        problem = VenueUnavailable("not asked")
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(backoff.next_seconds())
            await self._wait_for_budget(question)
            try:
                status, headers, body = await self._send(question, timeout_seconds)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._count(question, "unreachable")
                problem = VenueUnavailable(f"{self._base_url}{question.path}: {error or type(error).__name__}")
                continue
            self._count(question, str(status))
            self._read_weight(question, headers)
            if status == 200:
                return body
            failure = self._failure(question, status, headers, body)
            if not isinstance(failure, VenueUnavailable):
                raise failure
            problem = failure
        raise problem

    async def _wait_for_budget(self, question: Question) -> None:
        while wait := question.budget.wait_ms(question.weight, self._clock.now_ms()):
            await self._clock.sleep(min(wait, 5_000) / 1000 + 0.001)

    async def _send(self, question: Question, timeout_seconds: float) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        async with self._session.get(
            self._base_url + question.path, params=dict(question.params), timeout=timeout
        ) as response:
            return response.status, response.headers, await response.read()

    def _count(self, question: Question, status: str) -> None:
        counter("perpstream_requests_total").labels(self._venue, question.path, status).inc()

    def _read_weight(self, question: Question, headers: Mapping[str, str]) -> None:
        used = headers.get(self._weight_header, "") if self._weight_header else ""
        if used.isdigit():
            question.budget.report(int(used), self._clock.now_ms())
            gauge("perpstream_request_weight_used").labels(self._venue).set(int(used))

    def _failure(self, question: Question, status: int, headers: Mapping[str, str], body: bytes) -> VenueError:
        code, message = _error_of(body)
        text = f"{self._venue} {question.path}: {status} {code} {message}".rstrip()
        if status in (418, 429):
            until = self._limited_until(question, status, headers, message)
            question.budget.block(until)
            return RateLimited(text, until_ms=until, banned=status == 418)
        if status in (401, 403, 451):
            return AccessRefused(text, status=status, code=code)
        if status >= 500 or status == 408 or code in _RETRIABLE_CODES:
            return VenueUnavailable(text, status=status, code=code)
        return VenueError(text, status=status, code=code)

    def _limited_until(self, question: Question, status: int, headers: Mapping[str, str], message: str) -> int:
        """Source order: "banned until" in the message, Retry-After, else the end of the window (2 minutes for a ban)."""
        now = self._clock.now_ms()
        if named := _BANNED_UNTIL.search(message):
            return int(named.group(1))
        after = headers.get("Retry-After", "")
        if after.isdigit():
            return now + int(after) * 1000
        return now + BAN_WITHOUT_TERM_MS if status == 418 else question.budget.next_window(now)


def _error_of(body: bytes) -> tuple[int, str]:
    try:
        error = msgspec.json.decode(body, type=_ErrorBody)
        return int(error.code), error.msg or error.message
    except (msgspec.MsgspecError, ValueError):
        return 0, body[:120].decode(errors="replace")
