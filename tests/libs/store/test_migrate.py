"""The schema's history: both directions, agreement with tables.py, and clear errors."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store import migrate
from libs.store.engine import read_session, write_session
from libs.store.partitions import create_partitions, months_between
from libs.store.tables import metadata

AUGUST_2024_MS = 1_723_075_200_000


async def _tables(engine: AsyncEngine) -> set[str]:
    async with read_session(engine) as session:
        rows = await session.connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return set(rows.scalars())


async def test_upgrade_makes_every_table(empty_engine: AsyncEngine) -> None:
    assert await migrate.current_revision(empty_engine) is None
    assert await migrate.upgrade(empty_engine) == migrate.head_revision()
    assert await _tables(empty_engine) == {*metadata.tables, "alembic_version"}


async def test_downgrade_removes_everything_and_upgrade_brings_it_back(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    assert await migrate.downgrade(engine, migrate.BASE) is None
    assert await _tables(engine) == {"alembic_version"}
    assert await migrate.upgrade(engine) == migrate.head_revision()
    assert await migrate.differences(engine) == []


async def test_each_step_back_and_forth_leaves_the_rows_of_the_other_tables(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.raw.execute("INSERT INTO market_source VALUES (true, 'a', 'b')")
        await session.raw.execute(
            "INSERT INTO signal_conflicts VALUES ('signal_logs', 'a', 'b', 'BTCUSDT', now(), '{}', 'signals:0:1')"
        )
    assert await migrate.downgrade(engine, "0001") == "0001"
    assert await _tables(engine) == {*metadata.tables, "alembic_version"} - {"signal_conflicts", "feed_health"}
    assert await migrate.upgrade(engine) == migrate.head_revision()
    assert await migrate.differences(engine) == []
    async with read_session(engine) as session:
        for table, rows in (("market_source", 1), ("signal_conflicts", 0)):
            counted = await session.connection.execute(text(f"SELECT count(*) FROM {table}"))
            assert counted.scalar_one() == rows


async def test_alembic_check_is_empty_with_partitions(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    assert await migrate.differences(engine) == []


async def test_a_difference_is_found(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.raw.execute("ALTER TABLE signal_logs ADD COLUMN surprise text")
    assert [difference[0] for difference in await migrate.differences(engine)] == ["remove_column"]


async def test_two_services_migrate_at_once(empty_engine: AsyncEngine) -> None:
    revisions = await asyncio.gather(migrate.upgrade(empty_engine), migrate.upgrade(empty_engine))
    assert set(revisions) == {migrate.head_revision()}


async def test_an_old_schema_is_named_with_the_command_that_helps(empty_engine: AsyncEngine) -> None:
    with pytest.raises(ConfigurationError, match="perpstream db migrate"):
        await migrate.require_current(empty_engine)
    await migrate.upgrade(empty_engine)
    await migrate.require_current(empty_engine)


async def test_an_unknown_revision_is_one_clear_line(engine: AsyncEngine) -> None:
    with pytest.raises(ConfigurationError, match="cannot be moved"):
        await migrate.downgrade(engine, "9999")
