"""The viewer of a demonstration: signed in without an account, only where the gateway was started so, and never anything more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.local.runfile import RunFile
from libs.store.engine import write_session
from services.console.smoke import answers
from services.gateway.settings import AccessSettings, GatewaySettings
from tests.services.gateway.conftest import fill_database
from tests.services.gateway.house import PASSWORD, House, open_house

VIEWER = AccessSettings(gateway_local_viewer=True, gateway_requests_per_second=1e6, gateway_sign_ins_per_minute=1e6)


@pytest.fixture
async def demonstration(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path, None, VIEWER) as opened:
        async with write_session(opened.engine) as session:
            await session.raw.execute("UPDATE users SET role = 'viewer', banned_at = NULL WHERE name = 'local-viewer'")
        yield opened


async def test_a_page_is_signed_in_as_a_viewer_who_changes_nothing(demonstration: House) -> None:
    device = demonstration.device()
    assert (await device.post("/api/auth/local")).status == 200
    me = (await device.get("/api/auth/me")).body
    assert (me["name"], me["role"], me["scopes"], me["is_local_viewer"]) == ("local-viewer", "viewer", ["read"], True)
    asked = {"password": PASSWORD, "name": "bot", "scopes": ["read"]}
    for path, body in (("/api/auth/tokens", asked), ("/api/auth/second-factor", {"password": PASSWORD})):
        assert (await device.post(path, body)).status == 403
    assert (await device.get("/api/users")).status == 403
    login = await demonstration.device().post("/api/auth/login", {"name": "local-viewer", "password": PASSWORD})
    assert login.status == 401


async def test_another_page_gets_no_viewer(demonstration: House) -> None:
    for origin in ("https://evil.example", "http://127.0.0.1:1"):
        refused = await demonstration.device().post("/api/auth/local", {}, Origin=origin)
        assert (refused.status, refused.cookies) == (403, ())


@pytest.mark.parametrize(
    "passed_on",
    [
        {"X_Forwarded_For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Via": "1.1 desk"},
        {"Host": "desk.example"},
    ],
)
async def test_who_comes_through_a_proxy_is_not_on_this_machine(
    module_database_url: str, tmp_path: Path, passed_on: dict[str, str]
) -> None:
    rules = GatewaySettings(gateway_hosts=("desk.example",))
    async with open_house(module_database_url, tmp_path, rules, VIEWER) as house:
        here = await house.device().post("/api/auth/local", {"given_to": "program"})
        assert here.status == 200
        asked = {"Origin": "", **passed_on}
        refused = await house.device().post("/api/auth/local", {"given_to": "program"}, **asked)
        assert (refused.status, refused.cookies) == (403, ())


@pytest.mark.parametrize("change", ["role = 'admin'", "banned_at = now()"])
async def test_a_viewer_that_was_made_more_or_banned_is_none(demonstration: House, change: str) -> None:
    assert (await demonstration.device().post("/api/auth/local")).status == 200
    async with write_session(demonstration.engine) as session:
        await session.raw.execute(f"UPDATE users SET {change} WHERE name = 'local-viewer'")
    assert (await demonstration.device().post("/api/auth/local")).status == 403


async def test_without_the_setting_there_is_none(module_database_url: str, tmp_path: Path) -> None:
    async with open_house(module_database_url, tmp_path) as house:
        assert (await house.device().post("/api/auth/local")).status == 403


async def test_the_smoke_tests_questions_are_answered(demonstration: House, module_database_url: str) -> None:
    await fill_database(module_database_url)
    run = RunFile(version="", supervisor_pid=1, supervisor_started_at=0.0, gateway_url=demonstration.url)
    for path, mentioned in (("/api/health", ""), ("/api/trades/meta", "BTCUSDT"), ("/api/signals/history", "score")):
        assert str(await answers(path, mentioned)(run)).startswith("200, ")
    assert await answers("/api/trades/meta", "NOT THERE")(run) is None
