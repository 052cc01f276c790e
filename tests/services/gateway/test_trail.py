"""Audit rows beside a database that takes none: what must be written first is not done, the rest is written when it is back."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.audit import Actor, AuditFilter, Change, audit_rows
from libs.store.engine import Engine, create_engine, read_session
from services.gateway.trail import Trail
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
        assert list(trail.owed) == [(ACTOR, CHANGE)]
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
    refused, good = (ACTOR, Change("command.lock", "\0")), (Actor("trail-clara"), CHANGE)
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
