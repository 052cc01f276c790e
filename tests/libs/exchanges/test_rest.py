"""Budgets, limits, bans and broken answers, over real HTTP on loopback."""

import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from libs.exchanges.binance import BinanceMarketData
from libs.exchanges.binance.rest import WEIGHT_POOL
from libs.exchanges.budget import LONGEST_BAN_MS, Pool, Priority
from libs.exchanges.errors import AccessRefused, MalformedAnswer, RateLimited, VenueError, VenueUnavailable
from libs.exchanges.http import LARGEST_BODY_BYTES, LONGEST_LIMIT_MS, HttpClient, Method, Question
from libs.exchanges.limiter import Limiter, Turn, open_limiter
from libs.exchanges.venue import synchronise
from libs.kit.clock import ManualClock, VenueClock

START = 1_763_712_000_000
POOL = Pool("test", limit=100, window_ms=60_000)
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Exchange:
    """Answers /ask from a list, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[web.Response | None] = []
        self.asked = 0

    async def handle(self, request: web.Request) -> web.Response:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@pytest.fixture
async def exchange() -> AsyncIterator[tuple[Exchange, HttpClient, Question, ManualClock]]:
    served, clock = Exchange(), ManualClock(START)
    application = web.Application()
    application.add_routes([web.route("*", "/{path:.*}", served.handle)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        client = HttpClient(session, site.name, clock, Limiter("test", clock), "X-MBX-USED-WEIGHT-1M")
        yield served, client, Question("/ask", {}, 20, POOL), clock
    await runner.cleanup()


Parts = tuple[Exchange, HttpClient, Question, ManualClock]


async def test_the_venue_counts_weight_for_everybody_and_we_wait_for_the_next_minute(exchange: Parts) -> None:
    served, client, question, clock = exchange
    served.answers = [web.Response(body=b"ok", headers={"X-MBX-USED-WEIGHT-1M": "75"})]
    assert await client.get(question) == b"ok"
    assert clock.now_ms() == START
    assert await client.get(question) == b"ok"
    assert clock.now_ms() >= START + 60_000, "75 + 20 is more than 80 of 100"


@pytest.mark.parametrize(
    ("answer", "until", "banned"),
    [
        (web.Response(status=429, body=b'{"code":-1003,"msg":"Too many requests."}'), START + 60_000, False),
        (web.Response(status=429, headers={"Retry-After": "7"}), START + 7_000, False),
        (
            web.Response(status=418, body=b'{"code":-1003,"msg":"IP banned until 1763712345678. Please use"}'),
            1763712345678,
            True,
        ),
        (web.Response(status=418), START + 120_000, True),
        (web.Response(status=418, headers={"Retry-After": "0"}), START + 120_000, True),
        (web.Response(status=418, body=b'{"msg":"banned until 1563712345678"}'), START + 120_000, True),
        (web.Response(status=418, body=b'{"msg":"banned until 4763712345678"}'), START + LONGEST_BAN_MS, True),
        (web.Response(status=418, headers={"Retry-After": "999999999999"}), START + LONGEST_BAN_MS, True),
        (web.Response(status=429, headers={"Retry-After": "86400"}), START + LONGEST_LIMIT_MS, False),
        (web.Response(status=429, headers={"Retry-After": "9" * 5000}), START + 60_000, False),
        (web.Response(status=429, headers={"Retry-After": "\u00b2"}), START + 60_000, False),
        (web.Response(status=429, headers={"Retry-After": "-7"}), START + 60_000, False),
        (web.Response(status=418, body=b" " * 20_000_000), START + 120_000, True),
    ],
)
async def test_a_limit_stops_the_whole_pool_until_its_term(
    exchange: Parts, answer: web.Response, until: int, banned: bool
) -> None:
    served, client, question, clock = exchange
    served.answers = [answer, web.Response(body=b"later")]
    with pytest.raises(RateLimited) as caught:
        await client.get(question)
    assert (caught.value.until_ms, caught.value.banned) == (until, banned)
    assert served.asked == 1
    assert await client.get(question) == b"later"
    assert clock.now_ms() >= until


@pytest.mark.parametrize("weight", ["\u00b2", "9" * 5000, "1_0", "-1", ""])
async def test_a_weight_that_is_no_number_is_not_counted(exchange: Parts, weight: str) -> None:
    served, client, question, _ = exchange
    served.answers = [web.Response(body=b"ok", headers={"X-MBX-USED-WEIGHT-1M": weight})]
    assert await client.get(question) == b"ok"
    assert client._limiter.usage(POOL).used == question.weight


async def test_a_packed_body_is_read_no_further_than_any_answer_goes(exchange: Parts) -> None:
    served, client, question, _ = exchange
    inside = gzip.compress(b"0" * LARGEST_BODY_BYTES)
    served.answers = [web.Response(body=inside, headers={"Content-Encoding": "gzip"})]
    assert await client.get(question) == b"0" * LARGEST_BODY_BYTES
    bomb = gzip.compress(b"0" * (10 * LARGEST_BODY_BYTES))
    assert len(bomb) < 200_000
    served.answers, served.asked = [web.Response(body=bomb, headers={"Content-Encoding": "gzip"})], 0
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match=f"more than {LARGEST_BODY_BYTES} bytes"):
            await client.get(question)
        assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST_BODY_BYTES
    finally:
        tracemalloc.stop()
    assert served.asked == 1


async def test_a_redirection_is_a_refusal_and_nobody_else_is_asked(exchange: Parts) -> None:
    served, client, question, _ = exchange
    served.answers = [web.Response(status=302, headers={"Location": "/elsewhere"}), web.Response(body=b"elsewhere")]
    with pytest.raises(VenueError) as refused:
        await client.get(question)
    assert (refused.value.status, served.asked) == (302, 1)


async def test_what_may_heal_is_tried_again_and_what_cannot_is_not(exchange: Parts) -> None:
    served, client, question, _ = exchange
    busy = web.Response(status=503, body=b"Service Unavailable.")
    overload = web.Response(status=503, body=b'{"code":-1008,"msg":"Request throttled"}')
    served.answers = [busy, overload, None, web.Response(body=b"fine")]
    assert await client.get(question) == b"fine"
    served.answers, served.asked = [busy], 0
    with pytest.raises(VenueUnavailable):
        await client.get(question)
    assert served.asked == 4
    served.answers, served.asked = [web.Response(status=400, body=b'{"code":-1121,"msg":"Invalid symbol."}')], 0
    with pytest.raises(VenueError, match="Invalid symbol") as refused:
        await client.get(question)
    assert (refused.value.code, refused.value.status, served.asked) == (-1121, 400, 1)
    served.answers, served.asked = [web.Response(status=403, body=b"<html>WAF</html>")], 0
    with pytest.raises(AccessRefused):
        await client.get(question)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_question_whose_connection_is_cut_is_asked_as_often_as_it_is_counted(
    exchange: Parts, method: Method
) -> None:
    served, client, question, _ = exchange
    served.answers = [web.Response(body=b"ok"), None]
    once = replace(question, method=method, attempts=1)
    await client.get(once)
    with pytest.raises(VenueUnavailable, match="Server disconnected"):
        await client.get(once)
    assert served.asked == 2, "the cut one once"


async def test_an_answer_of_another_shape_is_named(exchange: Parts) -> None:
    served, client, _, clock = exchange
    served.answers = [web.Response(body=b'{"serverTime":"soon"}')]
    async with aiohttp.ClientSession() as session:
        market = BinanceMarketData(session, client._base_url, clock, client._limiter)
        with pytest.raises(MalformedAnswer, match="serverTime"):
            await market.server_time()


async def test_a_weight_header_that_is_known_to_be_wrong_is_not_believed(exchange: Parts) -> None:
    served, client, question, _ = exchange
    served.answers = [web.Response(body=b"ok", headers={"X-MBX-USED-WEIGHT-1M": "75"})]
    await client.get(replace(question, exact=False))
    assert client._limiter.usage(POOL).used == question.weight
    await client.get(question)
    assert client._limiter.usage(POOL).used == 75


async def test_a_question_whose_patience_ends_says_until_when_and_is_not_asked(exchange: Parts) -> None:
    served, client, question, clock = exchange
    served.answers = [web.Response(status=418)]
    with pytest.raises(RateLimited):
        await client.get(question)
    with pytest.raises(RateLimited, match="not asked, the venue has banned this address for") as caught:
        await client.get(replace(question, turn=Turn(Priority.GAPS, patience_seconds=7.0)))
    assert caught.value.banned
    assert START + 120_000 <= caught.value.until_ms <= START + 121_000
    assert (served.asked, clock.now_ms()) == (1, START + 7_000)


async def test_last_prices_tell_nothing_of_the_weight_that_was_used(exchange: Parts) -> None:
    served, client, _, clock = exchange
    served.answers = [web.Response(body=b"[]", headers={"X-MBX-USED-WEIGHT-1M": "1500"})]
    async with aiohttp.ClientSession() as session:
        market = BinanceMarketData(session, client._base_url, clock, client._limiter)
        assert await market.last_prices() == {}
        assert client._limiter.usage(WEIGHT_POOL).used == 2
        await market.klines("BTCUSDT", "1m", 0, 1, 10)
        assert client._limiter.usage(WEIGHT_POOL).used == 1500


async def test_the_wait_for_its_turn_is_no_part_of_a_questions_round_trip(tmp_path: Path) -> None:
    """Else a clock that is compared while the budget is used up would be wrong by half of the wait."""

    async def present(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": START})

    application = web.Application()
    application.add_routes([web.get("/fapi/v1/time", present)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        limiter = open_limiter("binance", site.name, tmp_path, 1.0)
        await limiter.refuse(WEIGHT_POOL, 1_500, banned=False)
        market, began = BinanceMarketData(session, site.name, ManualClock(START), limiter), time.monotonic()
        clock = VenueClock(0)
        await synchronise(market, clock)
        assert time.monotonic() - began > 1.9
        assert START <= clock.now_ms() < START + 900
    await runner.cleanup()


async def test_a_view_of_the_venue_asks_with_its_own_priority_and_patience(exchange: Parts) -> None:
    served, client, _, clock = exchange
    served.answers = [web.Response(status=418), web.Response(body=b'{"serverTime":1763712000000}')]
    async with aiohttp.ClientSession() as session:
        market = BinanceMarketData(session, client._base_url, clock, client._limiter)
        with pytest.raises(RateLimited):
            await market.server_time()
        with pytest.raises(RateLimited, match="not asked"):
            await market.at(Priority.POSITIONS, patience_seconds=1.0).server_time()
        assert await market.server_time() == START, "the venue itself is asked as before, and waits"
