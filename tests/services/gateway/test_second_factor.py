"""The second factor: what raises risk needs it, a code counts once, and neither thieves of sessions nor programs get past it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from libs.store.engine import write_session
from services.gateway.factors import PROOF_SECONDS, RECOVERY_CODES, STEP_SECONDS
from tests.services.gateway.house import PASSWORD, Device, House, open_house


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        async with write_session(opened.engine) as session:
            await session.raw.execute("TRUNCATE sign_in_failures")
        yield opened


async def _raises_risk(device: Device) -> tuple[int, str]:
    """Do something that gives somebody more rights, as what raises risk does."""
    answer = await device.post("/api/invites", {"role": "viewer"})
    return answer.status, answer.body.get("type", "")


def _code(house: House, app: pyotp.TOTP) -> str:
    return app.at(int(house.clock()))


async def test_what_raises_risk_needs_a_factor_that_was_given_in_the_last_minutes(house: House) -> None:
    _, device = await house.person("admin")
    assert await _raises_risk(device) == (403, "second-factor-needed")
    app = await house.enrol(device)
    assert (await _raises_risk(device))[0] == 200
    me = (await device.get("/api/auth/me")).body
    assert me["second_factor"]
    assert me["proven_until_ms"] > house.clock() * 1000
    house.clock.added = PROOF_SECONDS + 1
    assert await _raises_risk(device) == (403, "second-factor-needed")
    assert (await device.post("/api/auth/second-factor/proof", {"code": _code(house, app)})).status == 200
    assert (await _raises_risk(device))[0] == 200


async def test_a_proof_is_of_one_session_alone(house: House) -> None:
    name, device = await house.person("admin")
    await house.enrol(device)
    other = await house.log_in(name)
    assert (await _raises_risk(device))[0] == 200
    assert await _raises_risk(other) == (403, "second-factor-needed")


async def test_a_code_counts_once_and_old_ones_never(house: House) -> None:
    _, device = await house.person("admin")
    app = await house.enrol(device)
    used = _code(house, app)
    assert (await device.post("/api/auth/second-factor/proof", {"code": used})).status == 403
    house.clock.added = 10 * STEP_SECONDS
    assert (await device.post("/api/auth/second-factor/proof", {"code": used})).status == 403
    assert (await device.post("/api/auth/second-factor/proof", {"code": _code(house, app)})).status == 200


async def test_a_code_that_is_not_ascii_is_a_wrong_code(house: House) -> None:
    _, device = await house.person("admin")
    await house.enrol(device)
    assert (await device.post("/api/auth/second-factor/proof", {"code": "12345\u0666"})).status == 403


async def test_a_clock_that_is_half_a_minute_off_is_understood(house: House) -> None:
    _, device = await house.person("admin")
    app = await house.enrol(device)
    house.clock.added = 15 * STEP_SECONDS
    late = app.at(int(house.clock()) - STEP_SECONDS)
    assert (await device.post("/api/auth/second-factor/proof", {"code": late})).status == 200


async def test_recovery_codes_stand_in_once_each(house: House) -> None:
    _, device = await house.person("admin")
    begun = (await device.post("/api/auth/second-factor", {"password": PASSWORD})).body
    app = pyotp.TOTP(begun["secret"])
    assert pyotp.parse_uri(begun["uri"]).secret == begun["secret"]
    answer = await device.post("/api/auth/second-factor/confirm", {"code": _code(house, app)})
    codes = answer.body["recovery_codes"]
    assert len(set(codes)) == RECOVERY_CODES
    house.clock.added = PROOF_SECONDS + 1
    typed = codes[3].lower().replace("-", " ")
    assert (await device.post("/api/auth/second-factor/proof", {"code": typed})).status == 200
    assert (await device.post("/api/auth/second-factor/proof", {"code": codes[3]})).status == 403


async def test_it_is_in_force_only_once_it_was_confirmed(house: House) -> None:
    _, device = await house.person("admin")
    await device.post("/api/auth/second-factor", {"password": PASSWORD})
    assert (await device.post("/api/auth/second-factor/confirm", {"code": "000000"})).status == 403
    assert (await device.post("/api/auth/second-factor/proof", {"code": "000000"})).status == 403
    assert (await device.get("/api/auth/me")).body["second_factor"] is False
    assert (await _raises_risk(device))[0] == 403


async def test_a_stolen_session_alone_sets_up_replaces_and_removes_nothing(house: House) -> None:
    _, device = await house.person("admin")
    assert (await device.post("/api/auth/second-factor", {"password": "not the password"})).status == 403
    app = await house.enrol(device)
    assert (await device.post("/api/auth/second-factor", {"password": PASSWORD})).status == 409
    asked = {"password": PASSWORD, "code": "123456"}
    assert (await device.post("/api/auth/second-factor/remove", asked)).status == 403
    house.clock.added = STEP_SECONDS * 5
    asked = {"password": PASSWORD, "code": _code(house, app)}
    assert (await device.post("/api/auth/second-factor/remove", asked)).status == 200
    assert await _raises_risk(device) == (403, "second-factor-needed")


async def test_codes_cannot_be_guessed(house: House) -> None:
    _, device = await house.person("admin")
    app = await house.enrol(device)
    house.clock.added = 10 * STEP_SECONDS
    tried = [(await device.post("/api/auth/second-factor/proof", {"code": "000000"})).status for _ in range(6)]
    assert tried == [403] * 5 + [429]
    assert (await device.post("/api/auth/second-factor/proof", {"code": _code(house, app)})).status == 429


async def test_a_program_never_raises_risk_and_never_administers(house: House) -> None:
    _, device = await house.person("admin")
    await house.enrol(device)
    asked = {"password": PASSWORD, "name": "bot", "scopes": ["read", "trade"]}
    program = house.device((await device.post("/api/auth/tokens", asked)).body["token"])
    assert (await program.get("/api/auth/me")).body["scopes"] == ["read", "trade"]
    assert (await _raises_risk(program))[0] == 403
    for path in ("/api/auth/second-factor/proof", "/api/auth/password", "/api/auth/tokens"):
        assert (await program.post(path, {"code": "000000"})).status in (403, 422)
    assert (await program.get("/api/auth/sessions")).status == 403


async def test_the_secret_in_the_database_is_of_no_use_without_the_gateways(house: House) -> None:
    name, device = await house.person("admin")
    begun = (await device.post("/api/auth/second-factor", {"password": PASSWORD})).body
    async with write_session(house.engine) as session:
        kept = await session.raw.fetchval("SELECT second_factor FROM users WHERE name = $1", name)
    assert begun["secret"] not in kept
