"""Accounts over real HTTP: how one is made, opened, kept open and closed, and what thieves of tokens and guessers meet."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from libs.kit.codes import random_id
from libs.store.engine import write_session
from libs.store.people import user_named
from libs.store.people_admin import By, make_reset
from libs.store.sign_in_failures import FREE_FAILURES
from libs.store.user_sessions import remove_old_sessions
from services.gateway.access_tokens import ACCESS_SECONDS
from services.gateway.settings import GatewaySettings
from tests.services.gateway.house import OPERATOR, PASSWORD, Device, House, open_house
from tests.services.processes import eventually


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(module_database_url, tmp_path) as opened:
        await _forgive_this_address(opened)
        yield opened


async def _forgive_this_address(house: House) -> None:
    """All tests come from one address, and what one has guessed wrong must not lock the next."""
    async with write_session(house.engine) as session:
        await session.raw.execute("TRUNCATE sign_in_failures")


def _registration(code: str, **other: str) -> dict[str, str]:
    return {"name": f"r{random_id()[:12]}", "password": PASSWORD, "code": code} | other


async def test_an_invite_makes_one_account_of_its_role(house: House) -> None:
    code = await house.invite("trader")
    device = house.device()
    typed = code.lower().replace("-", " ")
    assert (await device.post("/api/auth/register", _registration(typed))).status == 200
    me = (await device.get("/api/auth/me")).body
    assert (me["role"], me["scopes"]) == ("trader", ["read", "trade"])
    again = await house.device().post("/api/auth/register", _registration(code))
    assert (again.status, again.headers["content-type"]) == (400, "application/problem+json")


async def test_an_invite_that_is_over_or_unknown_opens_nothing(house: House) -> None:
    code = await house.invite(hours=1)
    house.clock.added = 3601
    for wrong in (code, "AAAA-BBBB-CCCC-DDDD-EEEE"):
        answer = await house.device().post("/api/auth/register", _registration(wrong))
        assert (answer.status, "opens nothing" in answer.body["detail"]) == (400, True)


async def test_a_name_that_is_taken_or_a_weak_password_leaves_the_invite_as_it_was(house: House) -> None:
    name, _ = await house.person()
    code = await house.invite()
    for wrong, status in (
        ({"name": name}, 409),
        ({"name": "local-viewer"}, 409),
        ({"password": "aaaaaaaaaaaaaaaa"}, 400),
        ({"password": "short"}, 422),
        ({"name": "Not A Name"}, 422),
    ):
        assert (await house.device().post("/api/auth/register", _registration(code, **wrong))).status == status
    assert (await house.device().post("/api/auth/register", _registration(code))).status == 200


async def test_an_invite_that_two_use_at_once_makes_one_account(house: House) -> None:
    code = await house.invite()
    asked = [house.device().post("/api/auth/register", _registration(code)) for _ in range(4)]
    assert sorted(answer.status for answer in await asyncio.gather(*asked)) == [200, 400, 400, 400]


async def test_unknown_names_wrong_passwords_and_banned_accounts_look_alike(house: House) -> None:
    name, _ = await house.person()
    banned, _ = await house.person()
    async with write_session(house.engine) as session:
        await session.raw.execute("UPDATE users SET banned_at = now() WHERE name = $1", banned)
    answers = []
    for tried, password in ((name, "wrong password"), ("nobody-here", PASSWORD), (banned, PASSWORD)):
        before = house.hasher.verified
        said = await house.device().post("/api/auth/login", {"name": tried, "password": password})
        assert house.hasher.verified == before + 1, "each takes one look at a hash, so that time tells nothing"
        answers.append((said.status, said.body, said.cookies))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401


async def test_a_page_gets_cookies_that_no_script_reads_and_a_program_gets_tokens(house: House) -> None:
    name, _ = await house.person()
    page = await house.device().post("/api/auth/login", {"name": name.upper(), "password": PASSWORD})
    assert page.body["tokens"] is None
    access, refresh = sorted(page.cookies)
    for cookie in (access, refresh):
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Path=/api/auth" in refresh
    asked = {"name": name, "password": PASSWORD, "given_to": "program"}
    program = await house.device().post("/api/auth/login", asked)
    assert program.cookies == ()
    assert await house.device(program.body["tokens"]["access_token"]).is_in()


async def test_an_access_token_is_short_and_a_refresh_makes_the_next(house: House) -> None:
    _, device = await house.person()
    house.clock.added = ACCESS_SECONDS + 1
    assert not await device.is_in()
    assert (await device.post("/api/auth/refresh")).status == 200
    assert await device.is_in()
    house.clock.added += 31 * 86_400
    assert (await device.post("/api/auth/refresh")).status == 401


async def _program(house: House, name: str) -> dict[str, str]:
    answer = await house.device().post("/api/auth/login", {"name": name, "password": PASSWORD, "given_to": "program"})
    tokens: dict[str, str] = answer.body["tokens"]
    return tokens


async def test_a_refresh_token_that_comes_back_ends_the_session_for_thief_and_owner(house: House) -> None:
    name, other = await house.person()
    first = await _program(house, name)
    second = (await house.device().post("/api/auth/refresh", {"refresh_token": first["refresh_token"]})).body["tokens"]
    owner = house.device(second["access_token"])
    assert await owner.is_in()
    house.clock.added = 60
    stolen = await house.device().post("/api/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert stolen.status == 401
    assert not await owner.is_in(), "at once, not when the access token ends"
    following = await house.device().post("/api/auth/refresh", {"refresh_token": second["refresh_token"]})
    assert following.status == 401
    assert await other.is_in(), "the person's other sessions are other families"


async def test_two_tabs_that_refresh_at_once_lose_nothing(house: House) -> None:
    name, _ = await house.person()
    tokens = await _program(house, name)
    asked = [house.device().post("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]}) for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    (won,) = (answer for answer in answers if answer.status == 200)
    assert await house.device(won.body["tokens"]["access_token"]).is_in()


async def test_log_out_here_and_everywhere(house: House) -> None:
    name, first = await house.person()
    second, third = await house.log_in(name), await house.log_in(name)
    sessions = (await first.get("/api/auth/sessions")).body["sessions"]
    assert [session["current"] for session in sessions] == [False, False, True]
    assert (await first.post("/api/auth/logout")).body == {"ended": 1}
    assert [await device.is_in() for device in (first, second, third)] == [False, True, True]
    kept = (await second.get("/api/auth/sessions")).body["sessions"]
    (other,) = (session["session_id"] for session in kept if not session["current"])
    assert (await second.ask("DELETE", f"/api/auth/sessions/{other}")).status == 200
    assert not await third.is_in()
    fourth = await house.log_in(name)
    assert (await second.post("/api/auth/logout-all")).body == {"ended": 2}
    assert not await fourth.is_in()


async def test_nobody_ends_the_session_of_somebody_else(house: House) -> None:
    _, one = await house.person()
    _, other = await house.person()
    (session,) = (await one.get("/api/auth/sessions")).body["sessions"]
    assert (await other.ask("DELETE", f"/api/auth/sessions/{session['session_id']}")).status == 404
    assert await one.is_in()


async def test_another_password_ends_the_other_sessions(house: House) -> None:
    name, device = await house.person()
    other = await house.log_in(name)
    wrong = {"old_password": "not the password", "new_password": "another long password"}
    assert (await device.post("/api/auth/password", wrong)).status == 403
    told = (await device.post("/api/auth/password", wrong | {"old_password": PASSWORD})).body
    assert told == {"ended": 1, "tokens_ended": 0}
    assert [await each.is_in() for each in (device, other)] == [True, False]
    assert await (await house.log_in(name, "another long password")).is_in()


@pytest.mark.parametrize("kept", [False, True])
async def test_another_password_ends_the_tokens_too_unless_they_are_kept(house: House, kept: bool) -> None:
    """Whoever knew the old password may have made one."""
    _, device = await house.person()
    made = await device.post("/api/auth/tokens", {"password": PASSWORD, "name": "program", "scopes": ["read"]})
    program = house.device(made.body["token"])
    assert await program.is_in()
    asked = {"old_password": PASSWORD, "new_password": "another long password"}
    told = (await device.post("/api/auth/password", asked | ({"keep_tokens": True} if kept else {}))).body
    assert told == {"ended": 0, "tokens_ended": 0 if kept else 1}
    assert await program.is_in() is kept
    assert len((await device.get("/api/auth/tokens")).body["tokens"]) == int(kept)


async def _reset_code(house: House, name: str, *, second_factor: bool = False) -> str:
    async with write_session(house.engine) as session:
        user = await user_named(session, name)
        assert user is not None
        return (await make_reset(session, user, By(OPERATOR, house.access.at()), second_factor=second_factor)).code


@pytest.mark.parametrize("second_factor", [True, False])
async def test_who_has_stolen_an_account_is_out_before_the_code_of_the_operator_is_used(
    house: House, second_factor: bool
) -> None:
    name, device = await house.person("trader")
    await house.enrol(device)
    thief = await house.log_in(name)
    asked = {"password": PASSWORD, "name": "program", "scopes": ["read"]}
    program = house.device((await thief.post("/api/auth/tokens", asked)).body["token"])
    code = await _reset_code(house, name, second_factor=second_factor)
    for each in (device, thief, program):
        await eventually(partial(_is_out, each), 20, lambda: "still in")
    known = {"name": name, "password": PASSWORD}
    assert (await house.device().post("/api/auth/login", known)).status == 401, "the old password opens nothing more"
    reset = {"code": code, "new_password": "chosen after the loss"}
    assert (await house.device().post("/api/auth/reset", reset)).status == 200
    owner = await house.log_in(name, "chosen after the loss")
    assert (await owner.get("/api/auth/me")).body["second_factor"] is not second_factor


async def _is_out(device: Device) -> bool:
    return not await device.is_in()


async def test_a_code_of_the_operator_sets_a_password_once_and_ends_everything(house: House) -> None:
    name, device = await house.person()
    asked = {"password": PASSWORD, "name": "program", "scopes": ["read"]}
    program = house.device((await device.post("/api/auth/tokens", asked)).body["token"])
    assert await program.is_in()
    replaced = await _reset_code(house, name)
    reset = {"code": await _reset_code(house, name), "new_password": "chosen after the loss"}
    assert (await house.device().post("/api/auth/reset", reset | {"code": replaced})).status == 400
    assert (await house.device().post("/api/auth/reset", reset | {"new_password": f"{name} {name}"})).status == 400
    assert (await house.device().post("/api/auth/reset", reset)).status == 200
    assert [await each.is_in() for each in (device, program)] == [False, False]
    assert (await house.device().post("/api/auth/reset", reset)).status == 400
    assert await (await house.log_in(name, "chosen after the loss")).is_in()


async def _guess(house: House, name: str) -> tuple[int, int]:
    answer = await house.device().post("/api/auth/login", {"name": name, "password": "a wrong guess"})
    return answer.status, int(answer.headers.get("retry-after", 0))


@pytest.mark.parametrize("known", [True, False])
async def test_guessing_is_locked_after_five_failures_for_a_time_that_grows(house: House, known: bool) -> None:
    name, device = await house.person()
    tried = name if known else f"u{random_id()[:12]}"
    assert [await _guess(house, tried) for _ in range(FREE_FAILURES)] == [(401, 0)] * FREE_FAILURES
    waits = []
    for _ in range(4):
        status, wait = await _guess(house, tried)
        assert status == 429
        waits.append(wait)
        house.clock.added += wait
        assert (await _guess(house, tried))[0] == 401
    assert waits == [5, 10, 20, 40]
    assert await device.is_in(), "who is signed in stays so, and can reduce risk"


async def test_the_right_password_is_refused_while_locked_and_forgives_afterwards(house: House) -> None:
    name, _ = await house.person()
    for _ in range(FREE_FAILURES):
        await _guess(house, name)
    asked = {"name": name, "password": PASSWORD}
    assert (await house.device().post("/api/auth/login", asked)).status == 429
    house.clock.added = 60
    assert (await house.device().post("/api/auth/login", asked)).status == 200
    assert (await _guess(house, name))[0] == 401


async def test_a_stranger_who_knows_the_name_keeps_its_owner_from_nothing(
    module_database_url: str, tmp_path: Path
) -> None:
    """Behind a proxy, whose word says where each comes from."""
    async with open_house(module_database_url, tmp_path, GatewaySettings(gateway_behind_tls=True)) as house:
        await _forgive_this_address(house)
        name, _ = await house.person()
        at_home, elsewhere = {"X_Forwarded_For": "198.51.100.4"}, {"X_Forwarded_For": "198.51.100.5"}
        asked = {"name": name, "password": PASSWORD, "given_to": "program"}
        tokens = (await house.device().post("/api/auth/login", asked, **at_home)).body["tokens"]
        owner = house.device(tokens["access_token"])
        wrong = {"name": name, "password": "a wrong guess"}
        strangers = [{"X_Forwarded_For": f"203.0.113.{number}"} for number in range(FREE_FAILURES + 1)]
        guesses = [(await house.device().post("/api/auth/login", wrong, **each)).status for each in strangers]
        assert guesses == [401] * FREE_FAILURES + [429], "however many addresses they have"
        assert (await house.device().post("/api/auth/login", asked, **elsewhere)).status == 429
        assert (await house.device().post("/api/auth/login", asked, **at_home)).status == 200
        assert (await owner.post("/api/auth/second-factor", {"password": PASSWORD}, **at_home)).status == 200
        change = {"old_password": PASSWORD, "new_password": "another long password"}
        assert (await owner.post("/api/auth/password", change, **at_home)).status == 200
        again = [
            (await house.device().post("/api/auth/login", wrong, **at_home)).status for _ in range(FREE_FAILURES + 1)
        ]
        assert again == [401] * FREE_FAILURES + [429], "a place that is known has no more guesses than others"
        lock = (await house.device().post("/api/auth/login", wrong, **strangers[0])).status
        assert lock == 429, "who succeeds at a known place forgives nobody elsewhere"


async def test_guesses_at_the_password_of_who_is_signed_in_are_counted_too(house: House) -> None:
    _, device = await house.person()
    change = {"old_password": "a wrong guess", "new_password": "another long password"}
    tried = [(await device.post("/api/auth/password", change)).status for _ in range(FREE_FAILURES + 1)]
    assert tried == [403] * FREE_FAILURES + [429]


async def test_an_address_that_guesses_at_many_accounts_is_locked_for_all(house: House) -> None:
    names = [(await house.person())[0] for _ in range(FREE_FAILURES)]
    assert [(await _guess(house, name))[0] for name in names] == [401] * FREE_FAILURES
    assert (await _guess(house, f"u{random_id()[:12]}"))[0] == 429


async def test_a_hundred_guesses_at_once_are_no_hundred_free_ones(house: House) -> None:
    name, _ = await house.person()
    before = house.hasher.verified
    guesses = await asyncio.gather(*(_guess(house, name) for _ in range(30)))
    assert house.hasher.verified - before == FREE_FAILURES
    assert sorted({status for status, _ in guesses}) == [401, 429]


async def _send(device: Device, **headers: str) -> int:
    return (await device.post("/api/auth/logout", {}, **headers)).status


async def test_a_request_of_another_page_with_our_cookie_is_refused(house: House) -> None:
    _, device = await house.person()
    port = house.url.rpartition(":")[2]
    assert await _send(device, Origin="https://evil.example") == 403
    assert await _send(device, Origin="http://127.0.0.1:1") == 403, "another port is the same site, and no page of ours"
    assert await _send(device, Origin="null") == 403
    assert await _send(device, Origin="") == 403, "what says nothing is no browser's page of ours"
    assert await _send(device, Origin="", Sec_Fetch_Site="same-site") == 403
    for site in ("same-site", "cross-site", "none"):
        assert await _send(device, Sec_Fetch_Site=site) == 403, (
            "what the browser says counts, whatever stands in Origin"
        )
    assert await _send(device, Origin="http://[") == 403
    assert await device.is_in()
    assert await _send(device, Origin=f"http://127.0.0.1:{port}") == 200


async def test_another_page_signs_no_browser_in(house: House) -> None:
    name, _ = await house.person()
    asked = {"name": name, "password": PASSWORD}
    refused = await house.device().post("/api/auth/login", asked, Origin="https://evil.example")
    assert (refused.status, refused.cookies) == (403, ())


async def test_a_refresh_with_the_cookie_must_come_from_our_page(house: House) -> None:
    _, device = await house.person()
    assert (await device.post("/api/auth/refresh", {}, Origin="https://evil.example")).status == 403
    assert (await device.post("/api/auth/refresh", {})).status == 200


HALF = "\ud800"
"""Half of a character: JSON can say it, and Python can read it, but not write it."""


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/auth/refresh", {"refresh_token": HALF}),
        ("/api/auth/refresh", {"refresh_token": "\u00e4" * 20}),
        ("/api/auth/login", {"name": "ada", "password": HALF + PASSWORD}),
        ("/api/auth/login", {"name": HALF, "password": PASSWORD}),
        ("/api/auth/login", {"name": "ada", "password": PASSWORD, HALF: 1}),
        ("/api/auth/register", {"name": "ada", "password": HALF + PASSWORD, "code": "AAAA-BBBB-CCCC-DDDD-EEEE"}),
        ("/api/auth/reset", {"new_password": HALF + PASSWORD, "code": "AAAA-BBBB-CCCC-DDDD-EEEE"}),
        ("/api/auth/password", {"old_password": HALF + PASSWORD, "new_password": PASSWORD}),
        ("/api/auth/second-factor/proof", {"code": HALF + "123456"}),
        ("/api/strategies/validate", {"definition": {"name": HALF}}),
        ("/api/strategies/validate", {"definition": {"factors": [{HALF: 1}]}}),
        ("/api/risk/pause", {"confirmation": "pause", "reason": HALF}),
    ],
)
async def test_half_a_character_is_no_text(house: House, path: str, asked: dict[str, Any]) -> None:
    _, device = await house.person("trader")
    refused = await device.post(path, asked)
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")


async def test_a_session_that_was_over_a_month_ago_is_removed(house: House) -> None:
    name, _ = await house.person()
    async with write_session(house.engine) as session:
        later = house.access.at() + dt.timedelta(days=61)
        assert await remove_old_sessions(session, later) >= 1
        left = await session.raw.fetchval("SELECT count(*) FROM user_sessions")
        tokens = await session.raw.fetchval("SELECT count(*) FROM refresh_tokens")
    assert (left, tokens) == (0, 0), name
