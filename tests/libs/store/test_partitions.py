"""Months: their names and edges, made ahead, made once, found by time."""

import asyncio
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.engine import read_session, write_session
from libs.store.partitions import Month, create_partitions, list_partitions, months_ahead, months_between
from libs.store.trades import write_trades
from tests.libs.store.test_trades import AUGUST_2024_MS, trades


@given(st.integers(0, 4_102_444_799_999), st.integers(-600, 600))
def test_a_month_holds_its_instants_and_no_others(time_ms: int, months: int) -> None:
    month = Month.of(time_ms)
    assert month.start_ms <= time_ms < month.plus(1).start_ms
    assert month.plus(months).plus(-months) == month
    assert datetime.fromtimestamp(month.start_ms / 1000, UTC).day == 1


def test_the_current_and_the_next_two_months_over_a_year_end() -> None:
    december = int(datetime(2026, 12, 31, 23, 59, tzinfo=UTC).timestamp()) * 1000
    assert [str(month) for month in months_ahead(december)] == ["2026-12", "2027-01", "2027-02"]
    assert [str(month) for month in months_between(december, december + 3_600_000)] == ["2026-12", "2027-01"]


async def test_partitions_are_made_once_and_listed(engine: AsyncEngine) -> None:
    months = months_between(AUGUST_2024_MS, AUGUST_2024_MS + 40 * 86_400_000)
    async with write_session(engine) as session:
        assert await create_partitions(session, months) == ["agg_trades_y2024m08", "agg_trades_y2024m09"]
    async with write_session(engine) as session:
        assert await create_partitions(session, months) == []
        assert [state.month for state in await list_partitions(session)] == list(months)


async def test_two_makers_at_once_do_not_collide(engine: AsyncEngine) -> None:
    async def make() -> list[str]:
        async with write_session(engine) as session:
            return await create_partitions(session, months_ahead(AUGUST_2024_MS, 5))

    made = await asyncio.gather(make(), make(), make())
    assert sorted(len(names) for names in made) == [0, 0, 6]


async def test_a_partition_has_the_tables_indexes_and_the_rows_of_its_month(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    async with write_session(engine) as session:
        await write_trades(session, [trades(1, 5)])
    async with read_session(engine) as session:
        rows = await session.connection.execute(text("SELECT tableoid::regclass::text FROM agg_trades"))
        assert set(rows.scalars()) == {"agg_trades_y2024m08"}
        indexes = await session.connection.execute(
            text("SELECT indexdef FROM pg_indexes WHERE tablename = 'agg_trades_y2024m08'")
        )
        definitions = " ".join(indexes.scalars())
        assert "USING brin (trade_time)" in definitions
        assert "(symbol, agg_id, trade_time)" in definitions


async def test_making_a_month_does_not_wait_for_readers_and_writers_of_others(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    async with write_session(engine) as writer, read_session(engine) as reader:
        await write_trades(writer, [trades(1, 5)])
        await reader.connection.execute(text("SELECT count(*) FROM agg_trades"))
        async with asyncio.timeout(10), write_session(engine) as maker:
            assert await create_partitions(maker, [Month(2025, 1)]) == ["agg_trades_y2025m01"]
