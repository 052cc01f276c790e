"""Audit rows beside a database that takes none: what must be written first is not done, the rest is written when it is back."""

import asyncio
import datetime as dt
import stat
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.audit import Actor, AuditFilter, AuditRow, Change, audit_rows
from libs.store.engine import Engine, create_engine, read_session
from services.gateway.settings import AccessSettings
from services.gateway.trail import Owed, Trail
from tests.services.gateway.house import open_house
from tests.services.processes import eventually

ACTOR, CHANGE = Actor("trail-anna"), Change("command.flatten", "all")


async def test_what_reduces_risk_is_not_held_up_and_written_later(module_database_url: str) -> None:
    away = create_engine(DatabaseSettings(database_url="postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    there = create_engine(DatabaseSettings(database_url=module_database_url))
    trail = Trail()
    try:
        await migrate.upgrade(there)
        with pytest.raises(UnreachableError):
            await trail.write(away, ACTOR, CHANGE, must=True)
        assert not trail.owed
        await trail.write(away, ACTOR, CHANGE, must=False)
        assert [(row.actor, row.change) for row in trail.owed] == [(ACTOR, CHANGE)]
        paying = asyncio.create_task(trail.pay(there))

        async def written() -> bool:
            async with read_session(there) as session:
                rows = await audit_rows(session, AuditFilter(who=ACTOR.who))
            return [row.action for row in rows] == [CHANGE.action] and not trail.owed

        await eventually(written, 60, lambda: f"{trail.owed} are still owed")
        paying.cancel()
        with suppress(asyncio.CancelledError):
            await paying
    finally:
        await away.dispose()
        await there.dispose()


@asynccontextmanager
async def _read_only(engine: Engine) -> AsyncIterator[None]:
    """A database that takes no rows, as one whose disk is full or whose writer is another one."""
    name = engine.url.database
    connection = await asyncpg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        yield
    finally:
        await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await connection.close()
        await engine.dispose()  # those that were opened meanwhile stay as they are


async def test_a_database_that_takes_no_rows_holds_nothing_up_and_ends_nobody(module_database_url: str) -> None:
    engine = create_engine(DatabaseSettings(database_url=module_database_url))
    await migrate.upgrade(engine)
    await engine.dispose()
    who, trail = Actor("trail-berta"), Trail()
    paying = asyncio.create_task(trail.pay(engine))
    try:
        async with _read_only(engine):
            with pytest.raises(Exception, match="read-only"):
                await trail.write(engine, who, CHANGE, must=True)
            for number in range(3):
                await trail.write(engine, who, Change(f"command.{number}"), must=False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(paying), 3)
            assert len(trail.owed) == 3

        async def written() -> bool:
            async with read_session(engine) as session:
                rows = await audit_rows(session, AuditFilter(who=who.who))
            return sorted(row.action for row in rows) == ["command.0", "command.1", "command.2"] and not trail.owed

        await eventually(written, 60, lambda: f"{trail.owed} are still owed")
    finally:
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)
        await engine.dispose()


async def test_a_row_that_is_refused_does_not_hold_up_the_others(module_database_url: str) -> None:
    engine = create_engine(DatabaseSettings(database_url=module_database_url))
    await migrate.upgrade(engine)
    at = dt.datetime.now(dt.UTC)
    refused, good = Owed(ACTOR, Change("command.lock", "\0"), at), Owed(Actor("trail-clara"), CHANGE, at)
    trail = Trail(deque([refused, good]))
    paying = asyncio.create_task(trail.pay(engine))

    async def written() -> bool:
        return list(trail.owed) == [refused]

    try:
        await eventually(written, 60, lambda: f"{trail.owed} are still owed")
    finally:
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)
        await engine.dispose()


async def _rows_of(engine: Engine, who: str) -> list[AuditRow]:
    async with read_session(engine) as session:
        return await audit_rows(session, AuditFilter(who=who))


async def _all_paid(trail: Trail) -> bool:
    return not trail.owed and not (trail.file and trail.file.exists())


async def _paid(trail: Trail, engine: Engine) -> None:
    """Until nothing is owed."""
    paying = asyncio.create_task(trail.pay(engine))
    try:
        await eventually(partial(_all_paid, trail), 60, lambda: f"{trail.owed} are still owed")
    finally:
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)


async def test_what_is_owed_outlives_the_process_and_is_written_once(module_database_url: str, tmp_path: Path) -> None:
    away = create_engine(DatabaseSettings(database_url="postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    there = create_engine(DatabaseSettings(database_url=module_database_url))
    who, folder = Actor("trail-dora", request_id="r-1"), tmp_path / "state"
    file = folder / "audit-owed.jsonl"
    try:
        await migrate.upgrade(there)
        trail = Trail.kept_in(folder)
        for number in range(2):
            await trail.write(away, who, Change(f"command.{number}", "all", {"paused": False}), must=False)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept, said_at = file.read_bytes(), trail.owed[0].at
        begun_again = Trail.kept_in(folder)
        assert begun_again.owed == trail.owed
        await _paid(begun_again, there)
        assert not file.exists()
        file.write_bytes(kept)  # as if it had ended after the rows and before the file
        await _paid(Trail.kept_in(folder), there)
        rows = await _rows_of(there, who.who)
        assert [row.action for row in rows] == ["command.1", "command.0"]
        assert (rows[1].happened_at, rows[1].before) == (said_at, {"paused": False}), (
            "when it was said, not when it was paid"
        )
    finally:
        await away.dispose()
        await there.dispose()


async def test_a_line_that_cannot_be_read_is_kept_aside_and_holds_up_nothing(tmp_path: Path) -> None:
    row = Owed(ACTOR, CHANGE, dt.datetime.now(dt.UTC))
    trail = Trail(deque([row]), tmp_path / "audit-owed.jsonl")
    trail._keep()
    with (tmp_path / "audit-owed.jsonl").open("ab") as file:
        file.write(b'{"actor":{"who":"an')
    assert list(Trail.kept_in(tmp_path).owed) == [row]
    assert b'"an' in (tmp_path / "audit-owed.unreadable").read_bytes()
    assert list(Trail.kept_in(tmp_path).owed) == [row]


async def test_a_folder_that_takes_no_file_keeps_nobody_from_flattening(tmp_path: Path) -> None:
    away = create_engine(DatabaseSettings(database_url="postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    (tmp_path / "file").write_text("")
    trail = Trail(file=tmp_path / "file" / "audit-owed.jsonl")
    try:
        await trail.write(away, ACTOR, CHANGE, must=False)
        assert len(trail.owed) == 1
    finally:
        await away.dispose()


async def test_the_gateway_keeps_what_is_owed_in_its_state_folder(module_database_url: str, tmp_path: Path) -> None:
    Trail(deque([Owed(ACTOR, CHANGE, dt.datetime.now(dt.UTC))]), tmp_path / "audit-owed.jsonl")._keep()
    limits = AccessSettings(gateway_state_dir=tmp_path)
    async with open_house(module_database_url, tmp_path, limits=limits) as house:
        assert [row.actor for row in house.application.state.trail.owed] == [ACTOR]
