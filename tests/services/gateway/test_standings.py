"""Who is known while the database hangs: a person who has signed in can still reduce risk, and a stranger is told soon."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store.engine import Engine, create_engine, read_session
from services.gateway.standings import Key, Standings
from tests.services.gateway.house import open_house


@asynccontextmanager
async def _hung(engine: Engine) -> AsyncIterator[None]:
    """What serves the engine's only connection stands still: the connection stays, and nothing is answered on it."""
    async with read_session(engine) as session:
        pid: int = (await session.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_who_is_known_stays_known_while_the_database_hangs(module_database_url: str, tmp_path: Path) -> None:
    async with open_house(module_database_url, tmp_path) as house:
        _, device = await house.person("trader")
        session_id = (await device.get("/api/auth/me")).body["session_id"]
    engine = create_engine(DatabaseSettings(database_url=module_database_url), connections=1)
    standings, key = Standings(engine, engine), Key(session_id=session_id)
    try:
        known = await standings.of(key)
        assert known is not None
        async with _hung(engine), asyncio.timeout(120):
            assert await standings.of(key) == known
    finally:
        await engine.dispose()


async def test_a_stranger_is_told_that_the_database_hangs(module_database_url: str, tmp_path: Path) -> None:
    async with open_house(module_database_url, tmp_path):
        pass
    engine = create_engine(DatabaseSettings(database_url=module_database_url), connections=1)
    try:
        async with _hung(engine), asyncio.timeout(120):
            with pytest.raises(UnreachableError, match="hangs"):
                await Standings(engine, engine).of(Key(session_id="nobody"))
    finally:
        await engine.dispose()
