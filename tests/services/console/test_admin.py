"""`perpstream admin` on a real database: what is printed opens what it says, and every change stands in the audit."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from libs.kit.codes import hashed
from libs.kit.errors import UserError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import Engine, WriteSession, create_engine, write_session
from libs.store.people import NewUser, add_user
from services.console.app import app

T = TypeVar("T")


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["admin", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _in_database(url: str, work: Callable[[WriteSession], Awaitable[T]]) -> T:
    async def run() -> T:
        engine: Engine = create_engine(DatabaseSettings(database_url=url))
        try:
            await migrate.upgrade(engine)
            async with write_session(engine) as session:
                return await work(session)
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with one account, which the command line works on."""
    monkeypatch.setenv("PERPSTREAM_DATABASE_URL", database_url)
    assert _in_database(database_url, lambda session: add_user(session, NewUser("u1", "ada", "hash", "viewer", "test")))
    return database_url


async def _rows(session: WriteSession, statement: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await session.raw.fetch(statement)]


def test_invites_are_made_listed_and_revoked(database: str) -> None:
    made = json.loads(_run("gen-invite", "--role", "trader", "--hours", "2", "--json"))
    shown = _run("gen-invite").split()[0]
    (first, second) = sorted(json.loads(_run("list-invites", "--json")), key=lambda row: str(row["role"]))
    assert (first["role"], first["state"], first["code_id"]) == ("trader", "open", made["code_id"])
    kept = _in_database(database, lambda session: _rows(session, "SELECT code_hash FROM one_time_codes"))
    assert {row["code_hash"] for row in kept} == {hashed(made["code"]), hashed(shown)}
    _run("revoke-invite", made["code_id"])
    assert "revoked" in _run("list-invites")
    with pytest.raises(UserError, match="no invite"):
        _run("revoke-invite", made["code_id"])
    assert second["role"] == "viewer"


def test_roles_bans_and_lost_passwords_are_changed_and_written_down(database: str) -> None:
    _run("set-role", "ADA", "trader")
    _run("set-admin", "ada")
    _run("ban-user", "ada")
    (user,) = json.loads(_run("list-users", "--json"))
    assert (user["role"], user["banned_at"] is not None) == ("admin", True)
    assert "hash" not in json.dumps(user)
    _run("unban-user", "ada")
    assert "ada" in _run("list-users")
    made = json.loads(_run("reset-password", "ada", "--second-factor", "--json"))
    assert made["name"] == "ada"
    audit = _in_database(
        database, lambda session: _rows(session, "SELECT who, action, target FROM audit_log ORDER BY audit_id")
    )
    assert [row["action"] for row in audit] == [
        "user.role",
        "user.role",
        "user.ban",
        "user.unban",
        "user.reset_password",
    ]
    assert {row["target"] for row in audit} == {"ada"}
    assert all("perpstream admin" in row["who"] for row in audit)
    assert made["code"] not in str(audit)


@pytest.mark.parametrize("command", ["ban-user", "unban-user", "set-admin", "reset-password"])
def test_an_account_that_is_not_there_is_said_so(database: str, command: str) -> None:
    with pytest.raises(UserError, match="there is no account eve"):
        _run(command, "eve")


def test_no_password_can_be_given_as_an_argument() -> None:
    done = CliRunner().invoke(app, ["admin", "reset-password", "ada", "--password", "secret"])
    assert done.exit_code == 2
