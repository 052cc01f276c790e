"""Audit rows beside a database that is away: what must be written first is not done, the rest is written when it is back."""

import asyncio
from contextlib import suppress

import pytest

from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.audit import Actor, AuditFilter, Change, audit_rows
from libs.store.engine import create_engine, read_session
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
