"""API tokens of programs, what administrators do, and the audit that nobody changes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from libs.store.audit import AuditFilter, AuditRow, audit_rows
from libs.store.engine import read_session, write_session
from tests.services.gateway.house import PASSWORD, House, open_house


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        yield opened


async def _audit(house: House, who: str) -> list[AuditRow]:
    async with read_session(house.engine) as session:
        return await audit_rows(session, AuditFilter(who=who))


async def test_a_token_does_what_its_scopes_and_its_owner_may(house: House) -> None:
    _, viewer = await house.person("viewer")
    asked = {"password": PASSWORD, "name": "bot", "scopes": ["trade"]}
    assert (await viewer.post("/api/auth/tokens", asked)).status == 403
    assert (await viewer.post("/api/auth/tokens", asked | {"scopes": ["administer"]})).status == 422
    assert (await viewer.post("/api/auth/tokens", asked | {"scopes": ["read"], "password": "wrong one"})).status == 403
    name, trader = await house.person("trader")
    made = (await trader.post("/api/auth/tokens", asked | {"scopes": ["trade", "read"], "days": 1})).body
    program = house.device(made["token"])
    assert (await program.get("/api/auth/me")).body["scopes"] == ["read", "trade"]
    async with write_session(house.engine) as session:
        await session.raw.execute("UPDATE users SET role = 'viewer' WHERE name = $1", name)
    house.access.standings.forget(made["details"]["token_id"])
    house.clock.added = 31
    me = (await program.get("/api/auth/me")).body
    assert me["scopes"] == ["read"]
    assert me["token_id"] == made["details"]["token_id"]


async def test_a_token_ends_by_time_or_by_its_owner(house: House) -> None:
    _, device = await house.person()
    _, other = await house.person()
    asked = {"password": PASSWORD, "name": "bot", "scopes": ["read"], "days": 1}
    made = [(await device.post("/api/auth/tokens", asked)).body for _ in range(2)]
    programs = [house.device(each["token"]) for each in made]
    path = f"/api/auth/tokens/{made[0]['details']['token_id']}"
    assert (await other.ask("DELETE", path)).status == 404
    assert (await device.ask("DELETE", path)).status == 200
    assert [await program.is_in() for program in programs] == [False, True]
    listed = (await device.get("/api/auth/tokens")).body["tokens"]
    assert [token["token_id"] for token in listed] == [made[1]["details"]["token_id"]]
    assert "token" not in listed[0]
    house.clock.added = 86_401
    assert not await programs[1].is_in()


async def test_an_administrator_invites_changes_roles_and_bans(house: House) -> None:
    admin_name, admin = await house.person("admin")
    await house.enrol(admin)
    made = (await admin.post("/api/invites", {"role": "trader", "hours": 2})).body
    name = f"{admin_name}-guest"
    asked = {"name": name, "password": PASSWORD, "code": made["code"]}
    guest = house.device()
    assert (await guest.post("/api/auth/register", asked)).status == 200
    (invite,) = [
        each
        for each in (await admin.get("/api/invites")).body["invites"]
        if each["code_id"] == made["details"]["code_id"]
    ]
    assert (invite["state"], invite["used_by"], invite["created_by"]) == ("used", name, admin_name)
    changed = await admin.post(f"/api/users/{name}/role", {"role": "viewer"})
    assert changed.body["role"] == "viewer"
    assert (await guest.get("/api/auth/me")).body["scopes"] == ["read"]
    assert (await admin.post(f"/api/users/{name}/ban")).body["banned_ms"] is not None
    assert not await guest.is_in()
    assert (await admin.post(f"/api/users/{name}/unban")).body["banned_ms"] is None
    for path in (f"/api/users/{admin_name}/ban", f"/api/users/{admin_name}/unban"):
        assert (await admin.post(path)).status == 400, "nobody shuts themselves out"
    assert (await admin.post("/api/users/nobody-of-that-name/ban")).status == 404
    names = {user["name"] for user in (await admin.get("/api/users")).body["users"]}
    assert {name, admin_name} <= names


async def test_an_invite_that_was_revoked_opens_nothing(house: House) -> None:
    _, admin = await house.person("admin")
    await house.enrol(admin)
    made = (await admin.post("/api/invites", {})).body
    path = f"/api/invites/{made['details']['code_id']}"
    assert (await admin.ask("DELETE", path)).status == 200
    assert (await admin.ask("DELETE", path)).status == 404
    asked = {"name": "latecomer", "password": PASSWORD, "code": made["code"]}
    assert (await house.device().post("/api/auth/register", asked)).status == 400


async def test_every_change_has_a_row_that_says_who_what_and_from_where(house: House) -> None:
    name, device = await house.person("admin")
    await house.enrol(device)
    asked = {"password": PASSWORD, "name": "bot", "scopes": ["read"]}
    answer = await device.post("/api/auth/tokens", asked)
    await device.ask("DELETE", f"/api/auth/tokens/{answer.body['details']['token_id']}")
    other, _ = await house.person()
    await device.post(f"/api/users/{other}/role", {"role": "trader"})
    await device.post("/api/auth/logout")
    rows = await _audit(house, name)
    assert [row.action for row in reversed(rows)] == [
        "user.register",
        "second_factor.set_up",
        "second_factor.confirm",
        "token.make",
        "token.end",
        "user.role",
        "session.end",
    ]
    role = rows[1]
    assert (role.target, role.before, role.after) == (other, {"role": "viewer"}, {"role": "trader"})
    made = rows[3]
    assert made.request_id == answer.headers["x-request-id"]
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert all(row.session_id for row in rows[:-1])


async def test_no_secret_stands_in_the_audit_or_any_table(house: House) -> None:
    _, device = await house.person("admin")
    begun = (await device.post("/api/auth/second-factor", {"password": PASSWORD})).body
    token = (await device.post("/api/auth/tokens", {"password": PASSWORD, "name": "bot", "scopes": ["read"]})).body
    code = await house.invite()
    tables = "users user_sessions refresh_tokens api_tokens one_time_codes recovery_codes audit_log sign_in_failures"
    async with write_session(house.engine) as session:
        kept = [
            json.dumps([list(map(str, row.values())) for row in await session.raw.fetch(f"SELECT * FROM {table}")])
            for table in tables.split()
        ]
    cookies = [cookie.value for cookie in device.session.cookie_jar]
    assert len(cookies) == 2
    for secret in (PASSWORD, begun["secret"], token["token"], code, *cookies):
        assert not [text for text in kept if secret in text]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET who = 'nobody'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
async def test_the_audit_is_only_ever_added_to(house: House, statement: str) -> None:
    name, _ = await house.person()
    with pytest.raises(asyncpg.PostgresError, match="only ever added to"):
        async with write_session(house.engine) as session:
            await session.raw.execute(statement)
    assert [row.action for row in await _audit(house, name)] == ["user.register"]
