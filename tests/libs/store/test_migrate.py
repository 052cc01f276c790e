"""The schema's history: both directions, agreement with tables.py, and clear errors."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store import migrate
from libs.store.engine import read_session, write_session
from libs.store.partitions import create_partitions, months_between
from libs.store.schema_version import NEWEST_REVISION, current_revision, require_current
from libs.store.tables import metadata

AUGUST_2024_MS = 1_723_075_200_000


async def _tables(engine: AsyncEngine) -> set[str]:
    async with read_session(engine) as session:
        rows = await session.connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return set(rows.scalars())


async def test_upgrade_makes_every_table(empty_engine: AsyncEngine) -> None:
    assert await current_revision(empty_engine) is None
    assert await migrate.upgrade(empty_engine) == migrate.head_revision()
    assert await _tables(empty_engine) == {*metadata.tables, "alembic_version"}


async def test_downgrade_removes_everything_and_upgrade_brings_it_back(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    assert await migrate.downgrade(engine, migrate.BASE) is None
    assert await _tables(engine) == {"alembic_version"}
    assert await migrate.upgrade(engine) == migrate.head_revision()
    assert await migrate.differences(engine) == []


LATER = {
    "signal_conflicts",
    "feed_health",
    "klines",
    "funding_rates",
    "data_imports",
    "strategy_activations",
    "trade_bootstraps",
    "drift_checks",
    "paper_trades",
    "paper_accounts",
    "paper_equity",
    "paper_state",
    "live_lease",
    "live_trades",
    "live_orders",
    "live_fills",
    "live_events",
    "live_commands",
    "live_config",
    "live_offsets",
    "account_statement",
    "account_statement_read",
    "profit_corrections",
    "users",
    "recovery_codes",
    "one_time_codes",
    "user_sessions",
    "refresh_tokens",
    "api_tokens",
    "sign_in_failures",
    "audit_log",
    "trade_bars",
}


async def test_each_step_back_and_forth_leaves_the_rows_of_the_other_tables(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.raw.execute("INSERT INTO market_source VALUES (true, 'a', 'b')")
        await session.raw.execute(
            "INSERT INTO signal_conflicts VALUES ('signal_logs', 'a', 'b', 'BTCUSDT', now(), '{}', 'signals:0:1')"
        )
    assert await migrate.downgrade(engine, "0001") == "0001"
    assert await _tables(engine) == {*metadata.tables, "alembic_version"} - LATER
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
        await require_current(empty_engine)
    await migrate.upgrade(empty_engine)
    await require_current(empty_engine)


async def test_an_unknown_revision_is_one_clear_line(engine: AsyncEngine) -> None:
    with pytest.raises(ConfigurationError, match="cannot be moved"):
        await migrate.downgrade(engine, "9999")


async def test_rows_of_before_get_their_columns_and_windows_and_lose_nothing_on_the_way_back(
    engine: AsyncEngine,
) -> None:
    assert await migrate.downgrade(engine, "0003") == "0003"
    async with write_session(engine) as session:
        await session.raw.execute("""
            INSERT INTO market_indicators (event_id, symbol, kind, period, event_time, values, source) VALUES
              ('a', 'BTCUSDT', 'taker_long_short_ratio', '5m', '2026-11-21Z', '{"buy_sell_ratio": "1.0931"}', 'binance')
        """)
        await session.raw.execute("""
            INSERT INTO rate_snapshots (symbol, event_time, mark_price, index_price, next_funding_time) VALUES
              ('BTCUSDT', '2026-11-21Z', 99.9, 100, '2026-11-21Z'), ('ETHUSDT', '2026-11-21Z', 99.9, 0, '2026-11-21Z')
        """)
        await session.raw.execute("""
            INSERT INTO liquidation_events
            SELECT 'e' || n, 'BTCUSDT', 'BUY', t, t, n, 2, 2, n, 'FILLED'
            FROM generate_series(1, 3) AS n, LATERAL (SELECT timestamptz '2026-11-21Z' + n * interval '2 minutes' AS t) AS x
        """)
        await session.raw.execute("""
            INSERT INTO liquidation_agg
            SELECT symbol, side, date_trunc('minute', trade_time, 'UTC'), 1, quantity, quantity * 2, quantity * 2
            FROM liquidation_events
        """)
    assert await migrate.upgrade(engine) == migrate.head_revision()
    assert await migrate.differences(engine) == []
    agg = "SELECT window_ms, liquidated, sum(event_count), sum(notional), count(*) FROM liquidation_agg GROUP BY 1, 2 ORDER BY 1"
    async with read_session(engine) as session:
        rows = (await session.connection.execute(text(agg))).all()
        assert [tuple(row) for row in rows] == [
            (60_000, "short", 3, 12, 3),
            (300_000, "short", 3, 12, 2),
            (3_600_000, "short", 3, 12, 1),
        ]
        typed = "SELECT buy_sell_ratio, available_at, availability_assumed, raw FROM market_indicators"
        assert [tuple(row) for row in (await session.connection.execute(text(typed))).all()] == [
            (Decimal("1.0931"), None, False, None)
        ]
        basis = "SELECT basis_percent FROM rate_snapshots ORDER BY symbol"
        assert list((await session.connection.execute(text(basis))).scalars()) == [Decimal("-0.1"), None]
    assert await migrate.downgrade(engine, "0003") == "0003"
    async with read_session(engine) as session:
        counted = await session.connection.execute(text("SELECT count(*) FROM liquidation_agg"))
        assert counted.scalar_one() == 3
    assert await migrate.upgrade(engine) == migrate.head_revision()


def test_services_ask_for_the_newest_revision_of_the_history() -> None:
    assert migrate.head_revision() == NEWEST_REVISION
