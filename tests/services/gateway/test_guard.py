"""What every request meets: the Host rule, limits of rate and size, safe headers, and which other origins may call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from services.gateway import guard
from services.gateway.api import create_api
from services.gateway.budgets import REDUCES_RISK, wait_for
from services.gateway.caller import believed
from services.gateway.guard import MOST_BODY_BYTES
from services.gateway.limits import Limit
from services.gateway.settings import AccessSettings, GatewaySettings
from tests.services.gateway.house import PASSWORD, House, open_house

FREE = AccessSettings(gateway_requests_per_second=1e6, gateway_sign_ins_per_minute=1e6)
PLAIN = GatewaySettings()
BEHIND_TLS = GatewaySettings(gateway_behind_tls=True, gateway_hosts=("desk.example",))


async def _names_are_refused_and_served(house: House) -> None:
    device = house.device()
    for host, status in (
        ("evil.example", 421),
        ("desk.example", 200),
        ("DESK.example:8443", 200),
        ("localhost:1", 200),
        ("desk.example.evil.example", 421),
    ):
        assert (await device.get("/api/health", Host=host)).status == status, host


async def _answers_are_safe(house: House) -> None:
    device = house.device()
    for path in ("/api/health", "/api/users", "/api/no-such-thing", "/docs"):
        headers = (await device.session.get(house.url + path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["strict-transport-security"]
        assert headers["x-request-id"]
    assert "sandbox" in (await device.session.get(f"{house.url}/docs")).headers["content-security-policy"]
    page = (await device.session.get(f"{house.url}/api/health")).headers["content-security-policy"]
    assert "script-src 'self';" in page


async def _cookies_are_secure(house: House) -> None:
    name, _ = await house.person()
    answer = await house.device().post("/api/auth/login", {"name": name, "password": PASSWORD})
    assert len(answer.cookies) == 2
    assert all("Secure" in cookie.split("; ") for cookie in answer.cookies)


async def _large_bodies_are_refused(house: House) -> None:
    device = house.device()
    huge = {"name": "ada", "password": "x" * MOST_BODY_BYTES}
    assert (await device.post("/api/auth/login", huge)).status == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BODY_BYTES // 1000 + 2):
            yield b"x" * 1000

    headers = {"Content-Type": "application/json", "Origin": house.url}
    async with device.session.post(f"{house.url}/api/auth/login", data=pieces(), headers=headers) as answer:
        assert answer.status == 413


async def _a_page_in_the_clear_is_none_of_ours(house: House) -> None:
    asked = {"name": "nobody", "password": "a guess"}
    clear = f"http://{house.url.removeprefix('http://')}"
    refused = await house.device().post("/api/auth/login", asked, Origin=clear)
    assert refused.status == 403
    assert (await house.device().post("/api/auth/login", asked)).status == 401
    access = house.device()
    name, _ = await house.person()
    signed_in = await access.post("/api/auth/login", {"name": name, "password": PASSWORD})
    cookies = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in signed_in.cookies)}
    assert (await house.device().post("/api/auth/logout", Origin=clear, **cookies)).status == 403
    assert (await house.device().post("/api/auth/logout", **cookies)).status == 200


async def _the_proxys_word_counts(house: House) -> None:
    name, _ = await house.person()
    asked = {"name": name, "password": PASSWORD}
    sent = {"X_Forwarded_For": "6.6.6.6, 203.0.113.9"}
    tokens = (await house.device().post("/api/auth/login", asked | {"given_to": "program"}, **sent)).body["tokens"]
    (session, *_) = (await house.device(tokens["access_token"]).get("/api/auth/sessions")).body["sessions"]
    assert session["address"] == "203.0.113.9"


@pytest.mark.parametrize(
    "seen",
    [
        _names_are_refused_and_served,
        _answers_are_safe,
        _cookies_are_secure,
        _large_bodies_are_refused,
        _a_page_in_the_clear_is_none_of_ours,
        _the_proxys_word_counts,
    ],
)
async def test_behind_a_proxy_that_speaks_tls(
    module_database_url: str, tmp_path: Path, seen: Callable[[House], Awaitable[None]]
) -> None:
    async with open_house(module_database_url, tmp_path, BEHIND_TLS, FREE) as house:
        await seen(house)


async def test_without_a_proxy_nobody_says_where_they_are(module_database_url: str, tmp_path: Path) -> None:
    async with open_house(module_database_url, tmp_path) as house:
        name, _ = await house.person()
        device = house.device()
        await device.post("/api/auth/login", {"name": name, "password": PASSWORD}, X_Forwarded_For="203.0.113.9")
        (session, *_) = (await device.get("/api/auth/sessions")).body["sessions"]
        assert session["address"] == "127.0.0.1"


async def test_other_origins_call_only_if_they_are_named_and_never_with_cookies(
    module_database_url: str, tmp_path: Path
) -> None:
    asks = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "authorization"}
    rules = GatewaySettings(gateway_cors_origins=("https://desk.example",))
    async with open_house(module_database_url, tmp_path, rules) as house:
        device = house.device()
        allowed = await device.ask("OPTIONS", "/api/signals/history", Origin="https://desk.example", **asks)
        assert allowed.headers["access-control-allow-origin"] == "https://desk.example"
        assert "access-control-allow-credentials" not in allowed.headers
        other = await device.ask("OPTIONS", "/api/signals/history", Origin="https://evil.example", **asks)
        assert "access-control-allow-origin" not in other.headers
    async with open_house(module_database_url, tmp_path) as house:
        none = await house.device().get("/api/health", Origin="https://desk.example")
        assert "access-control-allow-origin" not in none.headers


async def test_who_asks_too_often_is_told_when_to_come_back(module_database_url: str, tmp_path: Path) -> None:
    limits = AccessSettings(gateway_requests_per_second=5, gateway_sign_ins_per_minute=3)
    async with open_house(module_database_url, tmp_path, None, limits) as house:
        device = house.device()
        asked = {"name": "nobody", "password": "a guess"}
        guesses = [await device.post("/api/auth/login", asked) for _ in range(4)]
        assert guesses[3].status == 429
        assert int(guesses[3].headers["retry-after"]) > 1
        answers = await asyncio.gather(*(device.get("/api/rates") for _ in range(40)))
        statuses = [answer.status for answer in answers]
        assert statuses.count(429) > 20
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.headers["content-type"] == "application/problem+json"


def _asks(path: str, method: str = "POST", **headers: str) -> HTTPConnection:
    sent = {"host": "localhost:1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    return HTTPConnection({"type": "http", "method": method, "path": path, "headers": raw})


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec_fetch_site": "same-site"}])
def test_a_page_elsewhere_uses_up_nothing_of_the_persons(headers: dict[str, str]) -> None:
    limit = Limit(1, 2, lambda: 0.0)
    foreign = _asks("/api/risk/flatten", **headers)
    assert [bool(wait_for(limit, "ada", foreign, PLAIN)) for _ in range(4)] == [False, False, True, True]
    ours = _asks("/api/rates", "GET", origin="http://localhost:1", sec_fetch_site="same-origin")
    assert [bool(wait_for(limit, "ada", ours, PLAIN)) for _ in range(3)] == [False, False, True]


def test_a_page_of_an_origin_that_is_named_can_flatten_whatever_others_ask() -> None:
    limit, named = Limit(1, 2, lambda: 0.0), GatewaySettings(gateway_cors_origins=("https://desk.example",))
    while not wait_for(limit, "ada", _asks("/api/rates", "GET", origin="https://evil.example"), named):
        pass
    flatten = _asks("/api/risk/flatten", origin="https://desk.example", sec_fetch_site="cross-site")
    assert [bool(wait_for(limit, "ada", flatten, named)) for _ in range(5)] == [False] * 4 + [True]


@pytest.mark.parametrize("path", sorted(REDUCES_RISK))
def test_what_reduces_risk_has_a_reserve_that_nothing_else_uses_up(path: str) -> None:
    limit = Limit(1, 2, lambda: 0.0)
    while not wait_for(limit, "ada", _asks("/api/rates", "GET"), PLAIN):
        pass
    assert wait_for(limit, "ada", _asks("/api/risk/unlock"), PLAIN)
    assert wait_for(limit, "ada", _asks(path, "GET"), PLAIN)
    assert [bool(wait_for(limit, "ada", _asks(path), PLAIN)) for _ in range(3)] == [False, False, True]


def test_the_reserve_is_of_routes_that_there_are() -> None:
    paths = create_api(None).openapi()["paths"]
    found = {paths[path]["post"]["operationId"] for path in REDUCES_RISK}
    assert found == {"postPause", "postFlatten", "postLock", "postClose", "postCancel"}


async def test_a_flood_from_elsewhere_holds_no_person_up(module_database_url: str, tmp_path: Path) -> None:
    limits = AccessSettings(gateway_requests_per_second=3, gateway_sign_ins_per_minute=60)
    async with open_house(module_database_url, tmp_path, None, limits) as house:
        _, device = await house.person("trader")
        flood = [device.get("/api/auth/me", Origin="http://127.0.0.1:1") for _ in range(200)]
        statuses = [answer.status for answer in await asyncio.gather(*flood)]
        assert 429 in statuses
        assert (await device.get("/api/auth/me")).status == 200


@given(
    rate=st.floats(0.1, 100),
    at_once=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 10), min_size=1, max_size=200),
)
def test_a_limit_lets_no_more_through_than_it_says(rate: float, at_once: int, gaps: list[float]) -> None:
    now = [0.0]
    limit = Limit(rate, at_once, lambda: now[0])
    allowed = 0
    for gap in gaps:
        now[0] += gap
        wait = limit.wait("caller")
        allowed += not wait
        assert allowed <= at_once + rate * now[0] + 1e-6
        if wait:
            now[0] += wait * 1.000001
            assert limit.wait("caller") == 0, "who waits as told is let in"
            allowed += 1


def test_callers_are_counted_apart_and_forgotten() -> None:
    now = [0.0]
    limit = Limit(1, 1, lambda: now[0])
    assert [limit.wait("a"), limit.wait("b")] == [0, 0]
    assert limit.wait("a") > 0
    now[0] = 10
    limit.wait("c")
    assert set(limit._buckets) == {"c"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["6.6.6.6"], "203.0.113.9"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["6.6.6.6", "203.0.113.9, 127.0.0.1"], "203.0.113.9"),
        ("127.0.0.1", ["not an address"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
    ],
)
def test_only_what_our_own_proxies_say_is_believed(peer: str, forwarded: list[str], address: str) -> None:
    proxies = GatewaySettings(gateway_behind_tls=True).proxies
    assert believed(peer, forwarded, proxies) == address


async def _hung_up_on(house: House, *pieces: bytes) -> bytes:
    """All that is said to a client that sends these pieces and then waits."""
    host, port = house.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


async def test_a_body_that_never_ends_holds_no_connection(
    module_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    async with open_house(module_database_url, tmp_path) as house:
        told = await _hung_up_on(house, b"Content-Length: 30\r\n\r\n", b'{"name":')
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b"whole within 0.2 seconds" in told
        told = await _hung_up_on(house, b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n", b"1\r\n \r\n")
        assert told.startswith(b"HTTP/1.1 408 ")
        assert (await house.device().get("/api/health")).status == 200
