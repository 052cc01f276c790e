"""What is on its way while a password is changed or an account is banned comes too late, however the two are interleaved."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.store.engine import write_session
from tests.services.gateway.house import PASSWORD, Device, House, Said, open_house
from tests.services.processes import eventually

OTHER = "another long password"
CHANGES = ("UPDATE users SET banned_at = now() WHERE name = $1", "UPDATE users SET password_hash = $2 WHERE name = $1")


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        async with write_session(opened.engine) as session:
            await session.raw.execute("TRUNCATE sign_in_failures")
        yield opened


def _asked(name: str) -> dict[str, dict[str, Any]]:
    return {
        "/api/auth/login": {"name": name, "password": PASSWORD},
        "/api/auth/password": {"old_password": PASSWORD, "new_password": "a third long password"},
        "/api/auth/tokens": {"password": PASSWORD, "name": "bot", "scopes": ["read"]},
        "/api/auth/second-factor": {"password": PASSWORD},
    }


async def _meanwhile(house: House, device: Device, name: str, path: str, change: str) -> Said:
    """The answer to a request whose password was looked at before the change was committed, and which writes after it."""
    async with write_session(house.engine) as session:
        values = (name, house.hasher.hash(OTHER)) if "$2" in change else (name,)
        await session.raw.execute(change, *values)
        looked = house.hasher.verified
        asking = asyncio.create_task(device.post(path, _asked(name)[path]))

        async def waits_or_is_through() -> bool:
            waiting = await session.raw.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return house.hasher.verified > looked and (bool(waiting) or asking.done())

        await eventually(waits_or_is_through, 60, lambda: "the request neither waits nor is answered")
    return await asking


@pytest.mark.parametrize("change", CHANGES, ids=["ban", "password"])
@pytest.mark.parametrize("path", list(_asked("")))
async def test_what_was_begun_with_the_old_password_comes_too_late(house: House, path: str, change: str) -> None:
    name, device = await house.person()
    asking = house.device() if path == "/api/auth/login" else device
    answer = await _meanwhile(house, asking, name, path, change)
    assert answer.status == (401 if path == "/api/auth/login" else 403), answer.body
    assert answer.cookies == ()


async def test_a_hash_that_was_only_renewed_meanwhile_keeps_nobody_out(house: House) -> None:
    name, _ = await house.person()
    renewed = CHANGES[1].replace("$2", f"'{house.hasher.hash(PASSWORD)}'")
    assert (await _meanwhile(house, house.device(), name, "/api/auth/login", renewed)).status == 200
