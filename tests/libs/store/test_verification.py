"""The rows themselves say whether a history is complete, whatever was written about them."""

import datetime as dt
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.engine import write_session
from libs.store.partitions import create_partitions, months_between
from libs.store.verification import Gap, newest_trade, verify

EVENING = dt.datetime(2026, 10, 31, 23, 59, 58, tzinfo=dt.UTC)
START, STOP = dt.datetime(2026, 10, 31, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
ROW = text(
    "INSERT INTO agg_trades (symbol, agg_id, trade_time, price, quantity, first_trade_id, last_trade_id, buyer_is_maker)"
    " VALUES ('BTCUSDT', :id, :time, 1, 1, 1, 1, true)"
)
HOLE = text(
    "INSERT INTO market_data_gaps (symbol, first_missing_id, last_missing_id, from_time, to_time, cause)"
    " VALUES ('BTCUSDT', 14, 15, :time, :time, 'not_at_venue')"
)


def _second(number: int) -> dt.datetime:
    return EVENING + dt.timedelta(seconds=number)


async def _store(engine: AsyncEngine, rows: Sequence[tuple[int, int]]) -> None:
    month = int(EVENING.timestamp() * 1000)
    async with write_session(engine) as session:
        await create_partitions(session, months_between(month, month + 86_400_000))
    async with write_session(engine) as session:
        for agg_id, second in rows:
            await session.connection.execute(ROW, {"id": agg_id, "time": _second(second)})


async def test_a_whole_history_over_midnight_and_a_month_is_sound(engine: AsyncEngine) -> None:
    await _store(engine, [(10, 0), (11, 1), (12, 2), (13, 2), (14, 3)])
    found = await verify(engine, "BTCUSDT", START, STOP)
    assert found.sound
    assert [(str(day.day), day.rows, day.first_id, day.last_id) for day in found.days] == [
        ("2026-10-31", 2, 10, 11),
        ("2026-11-01", 3, 12, 14),
    ]
    assert {day.completeness_ppm for day in found.days} == {1_000_000}
    assert found.gaps == ()


async def test_gaps_doubles_and_steps_back_are_counted_on_their_day(engine: AsyncEngine) -> None:
    # 11 is missing before midnight, 14 and 15 after it; 16 stands there twice, 18 is earlier than 17.
    await _store(engine, [(10, 0), (12, 1), (13, 2), (16, 3), (16, 4), (17, 6), (18, 5)])
    async with write_session(engine) as session:
        await session.connection.execute(HOLE, {"time": _second(3)})
    found = await verify(engine, "BTCUSDT", START, STOP)
    assert not found.sound
    counts = [(day.rows, day.missing, day.doubled, day.backwards, day.completeness_ppm) for day in found.days]
    assert counts == [(2, 1, 0, 0, 666_666), (5, 2, 1, 1, 666_666)]
    assert found.gaps == (
        Gap(11, 11, _second(0), _second(1), None),
        Gap(14, 15, _second(2), _second(3), "not_at_venue"),
    )


async def test_the_newest_trade_is_that_of_the_latest_time_in_any_partition(engine: AsyncEngine) -> None:
    await _store(engine, [(10, 0), (11, 9), (12, 5)])
    assert await newest_trade(engine, "BTCUSDT") == _second(9)
    assert await newest_trade(engine, "ETHUSDT") is None


@pytest.mark.parametrize("symbol", ["ETHUSDT", "'; DROP TABLE agg_trades; --"])
async def test_nothing_stored_is_not_sound(engine: AsyncEngine, symbol: str) -> None:
    await _store(engine, [(10, 0)])
    found = await verify(engine, symbol, START, STOP)
    assert (found.days, found.sound) == ((), False)
    assert (await verify(engine, "BTCUSDT", START, STOP)).sound
