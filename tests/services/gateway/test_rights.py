"""What takes a right away counts at the next request, whoever took it: a ban, an ended token, another role."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from libs.kit.codes import random_id
from libs.store.engine import write_session
from libs.store.people import user_named
from libs.store.people_admin import By, ban_user, change_role
from services.gateway.access import Forbidden
from services.gateway.access_tokens import ACCESS_SECONDS
from tests.services.gateway.house import OPERATOR, PASSWORD, Device, House, open_house
from tests.services.processes import eventually
from tests.support.servers import Database


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        yield opened


async def _ban_as_the_command_line_does(house: House, name: str) -> None:
    async with write_session(house.engine) as session:
        user = await user_named(session, name)
        assert user is not None
        await ban_user(session, user, By(OPERATOR, house.access.at()))


async def _is_out(device: Device) -> bool:
    return not await device.is_in()


async def test_who_is_banned_is_out_at_once_everywhere(house: House) -> None:
    name, device = await house.person()
    other = await house.log_in(name)
    made = await device.post("/api/auth/tokens", {"password": PASSWORD, "name": "bot", "scopes": ["read"]})
    program = house.device(made.body["token"])
    assert all([await each.is_in() for each in (device, other, program)])
    await _ban_as_the_command_line_does(house, name)
    for each in (device, other, program):
        await eventually(lambda who=each: _is_out(who), 20, lambda: "still in")  # type: ignore[misc]
    assert (await device.post("/api/auth/refresh")).status == 401
    async with write_session(house.engine) as session:
        await session.raw.execute("UPDATE users SET banned_at = NULL WHERE name = $1", name)
    assert not await device.is_in(), "an unban brings no session back"
    assert await (await house.log_in(name)).is_in()


async def _invited_by(device: Device) -> str:
    answer = await device.post("/api/invites", {"role": "admin"})
    assert answer.status == 200, answer.body
    code: str = answer.body["code"]
    return code


async def _opens(house: House, code: str) -> bool:
    asked = {"name": f"i{random_id()[:12]}", "password": PASSWORD, "code": code}
    return (await house.device().post("/api/auth/register", asked)).status == 200


@pytest.mark.parametrize("how", ["ban", "role"])
async def test_whoever_may_invite_no_longer_has_no_invites_left(house: House, how: str) -> None:
    name, device = await house.person("admin")
    _, other = await house.person("admin")
    for each in (device, other):
        await house.enrol(each)
    theirs, others = await _invited_by(device), await _invited_by(other)
    if how == "ban":
        assert (await other.post(f"/api/users/{name}/ban")).status == 200
    else:
        assert (await other.post(f"/api/users/{name}/role", {"role": "trader"})).status == 200
    assert not await _opens(house, theirs)
    assert await _opens(house, others)


async def test_a_change_by_hand_in_the_database_counts_too(house: House) -> None:
    name, device = await house.person("admin")
    assert (await device.get("/api/users")).status == 200
    async with write_session(house.engine) as session:
        await session.raw.execute("UPDATE users SET role = 'viewer' WHERE name = $1", name)

    async def refused() -> bool:
        return (await device.get("/api/users")).status == 403

    await eventually(refused, 20, lambda: "still an administrator")


async def test_the_memory_is_asked_once_and_emptied_by_a_notice(house: House) -> None:
    name, device = await house.person()
    session_id = (await device.get("/api/auth/me")).body["session_id"]
    async with write_session(house.engine) as session:
        await session.raw.execute("ALTER TABLE user_sessions DISABLE TRIGGER USER")
        await session.raw.execute("UPDATE user_sessions SET ended_at = now() WHERE session_id = $1", session_id)
        await session.raw.execute("ALTER TABLE user_sessions ENABLE TRIGGER USER")
    assert await device.is_in(), "what nobody told of is not asked for at every request"
    async with write_session(house.engine) as session:
        user_id = await session.raw.fetchval("SELECT user_id FROM users WHERE name = $1", name)
        await session.raw.execute("SELECT pg_notify('people', $1)", user_id)
    await eventually(lambda: _is_out(device), 20, lambda: "still in")


async def test_while_notices_are_not_heard_each_request_asks(house: House) -> None:
    _, device = await house.person()
    session_id = (await device.get("/api/auth/me")).body["session_id"]
    house.access.standings._listens(False)
    async with write_session(house.engine) as session:
        await session.raw.execute("ALTER TABLE user_sessions DISABLE TRIGGER USER")
        await session.raw.execute("UPDATE user_sessions SET ended_at = now() WHERE session_id = $1", session_id)
        await session.raw.execute("ALTER TABLE user_sessions ENABLE TRIGGER USER")
    assert not await device.is_in()


def _stream(house: House, device: Device, origin: str) -> HTTPConnection:
    """The opening of a WebSocket, as a browser with this device's cookies sends it."""
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in device.session.cookie_jar)
    sent = {"host": house.url.removeprefix("http://"), "origin": origin, "cookie": cookies}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    return HTTPConnection({"type": "websocket", "headers": headers, "app": house.application, "state": {}})


async def test_an_open_stream_of_who_is_banned_ends(house: House) -> None:
    name, device = await house.person()
    waiting = asyncio.create_task(house.access.until_out(_stream(house, device, house.url)))
    _, other = await house.person()
    staying = asyncio.create_task(house.access.until_out(_stream(house, other, house.url)))
    await _ban_as_the_command_line_does(house, name)
    assert await asyncio.wait_for(waiting, 20) == "this sign-in has ended"
    assert not staying.done()
    staying.cancel()


async def test_an_open_stream_outlives_its_access_token_but_no_other_role(house: House) -> None:
    name, device = await house.person("trader")
    waiting = asyncio.create_task(house.access.until_out(_stream(house, device, house.url)))
    await house.person()  # a round trip in which the stream is open
    house.clock.added = ACCESS_SECONDS + 1
    async with write_session(house.engine) as session:
        user = await user_named(session, name)
        assert user is not None
        await change_role(session, user, "viewer", By(OPERATOR, house.access.at()))
    assert "has changed" in await asyncio.wait_for(waiting, 20)


async def test_no_page_elsewhere_opens_a_stream_with_our_cookie(house: House) -> None:
    _, device = await house.person()
    assert await house.access.person(_stream(house, device, house.url))
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        with pytest.raises(Forbidden, match="our own page"):
            await house.access.person(_stream(house, device, origin))


async def test_a_database_that_is_away_keeps_in_who_was_just_seen(own_postgres: Database, tmp_path: Path) -> None:
    async with open_house(own_postgres.url, tmp_path) as house:
        _, device = await house.person()
        _, stranger = await house.person()
        stranger.session.cookie_jar.clear()
        assert await device.is_in()
        await asyncio.to_thread(own_postgres.kill)

        async def unheard() -> bool:
            return not house.access.standings.hears

        await eventually(unheard, 30, lambda: "the lost connection is not noticed")
        assert await device.is_in()
        assert (await stranger.get("/api/auth/me")).status == 401
        assert (await stranger.post("/api/auth/login", {"name": "ada", "password": PASSWORD})).status == 503
        await asyncio.to_thread(own_postgres.start)
