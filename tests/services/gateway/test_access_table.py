"""Every endpoint of the description × every role × every kind of token: who may, may; nobody else; no route without a rule."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.store.engine import write_session
from services.gateway.access_tokens import ACCESS_SECONDS, AccessTokens
from services.gateway.openapi import document
from tests.services.gateway.house import PASSWORD, Device, House, open_house

PUBLIC = {
    "getHealth",
    "getRates",
    "postLogin",
    "postRegistration",
    "postRefresh",
    "postPasswordReset",
    "postLocalSession",
}
"""What somebody who is not signed in may ask: a route that is not named here needs somebody."""
ENDS_THE_SESSION = {"postLogout", "postLogoutAll"}
MAY: dict[str, set[str]] = {
    "viewer": {"read"},
    "trader": {"read", "trade"},
    "admin": {"read", "trade", "administer"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A route of the description; `needs` None: everybody may ask."""

    name: str
    method: str
    path: str
    needs: frozenset[str] | None
    takes_body: bool


def _operations() -> list[Operation]:
    found = []
    for path, methods in json.loads(document())["paths"].items():
        for method, described in methods.items():
            found.append(
                Operation(
                    described["operationId"],
                    method.upper(),
                    _filled(path, described),
                    _rule(described),
                    "requestBody" in described,
                )
            )
    return found


def _filled(path: str, described: dict[str, Any]) -> str:
    """With values that fit for what stands in the path."""
    for parameter in described.get("parameters", ()):
        if parameter["in"] == "path":
            examples = parameter.get("examples") or parameter["schema"].get("examples") or ["abcdef0123456789"]
            path = path.replace("{" + parameter["name"] + "}", str(examples[0]))
    return path


def _rule(described: dict[str, Any]) -> frozenset[str] | None:
    """The scopes that the description says are needed, of whichever way of coming in."""
    if not described.get("security"):
        return None
    needed = {frozenset(scopes) for way in described["security"] for scopes in way.values()}
    assert {name for way in described["security"] for name in way} == {"bearer", "cookie"}
    assert len(needed) == 1, f"{described['operationId']} says several things: {needed}"
    return needed.pop()


OPERATIONS = _operations()


def test_only_these_routes_are_everybodys() -> None:
    assert {each.name for each in OPERATIONS if each.needs is None} == PUBLIC


def test_every_route_that_changes_something_needs_somebody_with_a_right_or_is_about_oneself() -> None:
    for each in OPERATIONS:
        if each.method != "GET" and each.needs is not None and not each.path.startswith("/api/auth/"):
            assert each.needs & {"trade", "administer"}, each.name


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        yield opened


async def _asked(device: Device, each: Operation) -> int:
    body: dict[str, Any] | None = {} if each.takes_body else None
    return (await device.ask(each.method, each.path, body)).status


async def _program(house: House, name: str) -> str:
    asked = {"name": name, "password": PASSWORD, "given_to": "program"}
    token: str = (await house.device().post("/api/auth/login", asked)).body["tokens"]["access_token"]
    return token


@pytest.mark.parametrize("kind", ["none", "expired", "wrong", "unsigned", "other_key", "unknown_api_token", "banned"])
async def test_without_a_token_that_counts_nothing_but_the_public_is_answered(house: House, kind: str) -> None:
    name, _ = await house.person("admin")
    token: str | None = await _program(house, name)
    if kind == "none":
        token = None
    elif kind == "wrong":
        token = "not.a.token"
    elif kind == "unsigned":
        token = f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{(token or '').split('.')[1]}."
    elif kind == "other_key":
        session_id = house.access.tokens.session_of(token or "", house.clock())
        token = AccessTokens(b"another key, of the same length!").issue("x", str(session_id), house.clock())
    elif kind == "unknown_api_token":
        token = "pst_" + "a" * 43
    elif kind == "banned":
        async with write_session(house.engine) as session:
            await session.raw.execute("UPDATE users SET banned_at = now() WHERE name = $1", name)
    elif kind == "expired":
        house.clock.added = ACCESS_SECONDS
    device = house.device(token)
    for each in OPERATIONS:
        status = await _asked(device, each)
        if each.needs is None:
            assert each.name in PUBLIC
        else:
            assert status == 401, f"{each.name} answers {status} to {kind}"


@pytest.mark.parametrize("role", MAY)
async def test_each_role_may_what_its_rights_say_and_nothing_else(house: House, role: Any) -> None:
    name, _ = await house.person(role)
    for each in OPERATIONS:
        if each.needs is None:
            continue
        device = house.device(await _program(house, name))
        status = await _asked(device, each)
        if each.needs <= MAY[role]:
            # 403 of a second factor that is missing comes after the question whether the role may at all.
            assert status != 401, f"{each.name} does not know {role}"
            if each.method == "GET":
                assert status in (200, 400, 404, 422, 503), f"{each.name} answers {status} to {role}"
        else:
            assert status == 403, f"{each.name} answers {status} to {role}"
        assert status != 500
