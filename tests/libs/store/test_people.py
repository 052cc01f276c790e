"""Questions about people walk indexes, locks of attempts hold under concurrency, and the audit pages from new to old."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import api_tokens, audit, one_time_codes, people, sign_in_failures, user_sessions
from libs.store.audit import Actor, AuditFilter, Change, audit_rows, write_audit
from libs.store.engine import create_engine, read_session, write_session
from libs.store.people_notices import follow_people
from libs.store.sign_in_failures import FREE_FAILURES, begin_attempt, forgive, take_back
from tests.services.processes import eventually

AT = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
FILLED = """
INSERT INTO users (user_id, name, role, created_by) SELECT 'u' || n, 'name' || n, 'viewer', 'x' FROM generate_series(1, 3000) n;
INSERT INTO user_sessions (session_id, user_id, expires_at, address, device)
  SELECT 's' || n, 'u' || n % 3000, now() + interval '1 day', '', '' FROM generate_series(1, 10000) n;
INSERT INTO refresh_tokens (token_hash, session_id) SELECT 'r' || n, 's' || n % 10000 FROM generate_series(1, 20000) n;
INSERT INTO api_tokens (token_id, user_id, name, token_hash, scopes, expires_at)
  SELECT 't' || n, 'u' || n % 3000, '', 'h' || n, '{read}', now() FROM generate_series(1, 10000) n;
INSERT INTO one_time_codes (code_id, code_hash, purpose, created_by, expires_at)
  SELECT 'c' || n, 'k' || n, 'invite', 'x', now() FROM generate_series(1, 5000) n;
INSERT INTO audit_log (who, action) SELECT 'name' || n % 100, 'x.y' FROM generate_series(1, 20000) n;
INSERT INTO sign_in_failures (subject, failures, last_at) SELECT 'f' || n, 1, now() FROM generate_series(1, 10000) n;
ANALYZE users, user_sessions, refresh_tokens, api_tokens, one_time_codes, audit_log, sign_in_failures;
"""


async def test_no_question_about_people_reads_a_whole_table(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.raw.execute(FILLED)
    asked: list[tuple[Any, dict[str, Any]]] = [
        (people._OF_SESSION, {"key": "s5"}),
        (people._OF_TOKEN, {"key": "h5"}),
        (people._BY_NAME, {"name": "name7"}),
        (people._BY_ID, {"user_id": "u7"}),
        (user_sessions._OF_TOKEN, {"token_hash": "r9", "at": AT}),
        (user_sessions._LIST, {"user_id": "u7", "at": AT, "most": 100}),
        (user_sessions._END_ONE, {"user_id": "u7", "session_id": "s7", "at": AT, "because": ""}),
        (user_sessions._END_OTHERS, {"user_id": "u7", "kept": None, "at": AT, "because": ""}),
        (user_sessions._OLD, {"before": AT}),
        (user_sessions._OLD_TOKENS, {"sessions": ["s1", "s2"]}),
        (api_tokens._LIST, {"user_id": "u7", "most": 100}),
        (api_tokens._END_ALL, {"user_id": "u7", "at": AT}),
        (one_time_codes._TAKE, {"code_hash": "k7", "purpose": "invite", "at": AT, "used_by": "x"}),
        (sign_in_failures._LOCK, {"subjects": ["f1", "f2"]}),
        (audit._PAGE, {"who": None, "action": None, "start": None, "stop": None, "before": 15_000, "most": 100}),
    ]
    for statement, parameters in asked:
        async with read_session(engine) as session:
            await session.connection.execute(text("SET TRANSACTION READ WRITE"))
            rows = await session.connection.execute(text(f"EXPLAIN {statement.text}"), parameters)
            plan = "\n".join(rows.scalars())
        assert "Seq Scan" not in plan, f"{statement.text}\n{plan}"


async def test_of_many_attempts_at_once_only_the_free_ones_go_through(engine: AsyncEngine) -> None:
    async def attempt(number: int) -> bool:
        subjects = ["account:ada", "address:a"] if number % 2 else ["address:a", "account:ada"]
        async with write_session(engine) as session:
            return await begin_attempt(session, subjects, AT) is None

    done = await asyncio.gather(*(attempt(number) for number in range(20)))
    assert done.count(True) == FREE_FAILURES


async def test_a_good_attempt_forgives_the_account_and_costs_the_address_nothing(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        for _ in range(FREE_FAILURES - 1):
            assert await begin_attempt(session, ["account:ada", "address:a"], AT) is None
        for _ in range(10):
            assert await begin_attempt(session, ["account:ada", "address:a"], AT) is None
            await forgive(session, "account:ada")
            await take_back(session, "address:a")
        assert await begin_attempt(session, ["account:eve", "address:a"], AT) is None
        assert await begin_attempt(session, ["account:bob", "address:a"], AT) == AT + dt.timedelta(seconds=5)
        assert await begin_attempt(session, ["account:bob"], AT) is None, "what was refused was not counted"
        assert await begin_attempt(session, ["address:a"], AT + dt.timedelta(hours=13)) is None
        failures = await session.raw.fetchval("SELECT failures FROM sign_in_failures WHERE subject = 'address:a'")
    assert failures == 1, "after half a day the count begins anew"


async def test_the_audit_pages_from_new_to_old_while_rows_are_added(engine: AsyncEngine) -> None:
    async def add(number: int) -> None:
        async with write_session(engine) as session:
            await write_audit(session, Actor(f"w{number % 2}"), Change("a.b", str(number), None, {"n": AT}))

    for number in range(6):
        await add(number)
    async with read_session(engine) as reading:
        first = await audit_rows(reading, AuditFilter(who="w1", most=2))
    await add(7)
    async with read_session(engine) as reading:
        second = await audit_rows(reading, AuditFilter(who="w1", most=2, before=first[-1].audit_id))
        none = await audit_rows(reading, AuditFilter(stop=AT))
    assert [row.target for row in (*first, *second)] == ["5", "3", "1"]
    assert first[0].after == {"n": "2026-11-29T00:00:00Z"}
    assert none == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE users SET role = 'admin' WHERE user_id = 'u1'", True),
        ("UPDATE users SET banned_at = now() WHERE user_id = 'u1'", True),
        ("UPDATE users SET second_factor_step = 5 WHERE user_id = 'u1'", False),
        ("UPDATE user_sessions SET ended_at = now() WHERE session_id = 's1'", True),
        ("UPDATE user_sessions SET seen_at = now() WHERE session_id = 's1'", False),
        ("DELETE FROM user_sessions", True),
        ("UPDATE api_tokens SET ended_at = now()", True),
        ("UPDATE api_tokens SET used_at = now()", False),
    ],
)
async def test_whatever_takes_a_right_away_is_told(
    engine: AsyncEngine, database_url: str, statement: str, told: bool
) -> None:
    async with write_session(engine) as session:
        await session.raw.execute("""
            INSERT INTO users (user_id, name, role, created_by) VALUES ('u1', 'ada', 'viewer', 'x'), ('u2', 'bob', 'viewer', 'x');
            INSERT INTO user_sessions (session_id, user_id, expires_at, address, device) VALUES ('s1', 'u1', now(), '', '');
            INSERT INTO api_tokens (token_id, user_id, name, token_hash, scopes, expires_at)
              VALUES ('t', 'u1', '', 'h', '{}', now());
        """)
    heard: list[str] = []
    states: list[bool] = []
    notices = create_engine(DatabaseSettings(database_url=database_url), connections=1)
    following = asyncio.create_task(follow_people(notices, heard.append, states.append))

    async def listening() -> bool:
        return states == [True]

    async def heard_the_last() -> bool:
        return "u2" in heard

    await eventually(listening, 30, lambda: "nobody listens")
    for each in (statement, "UPDATE users SET role = 'trader' WHERE user_id = 'u2'"):
        async with write_session(engine) as session:
            await session.raw.execute(each)
    await eventually(heard_the_last, 30, lambda: "no notice came")
    assert heard == (["u1", "u2"] if told else ["u2"])
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert states == [True, False]
    await notices.dispose()
