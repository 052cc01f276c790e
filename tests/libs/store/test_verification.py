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
VERDICT = text(
    "INSERT INTO market_data_gaps (symbol, first_missing_id, last_missing_id, from_time, to_time, cause, outcome)"
    " VALUES (:symbol, :first, :last, :time, :time, :cause, :outcome)"
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


async def test_ids_that_never_existed_are_no_gap_in_the_history(engine: AsyncEngine) -> None:
    # 12 to 14 are missing before midnight, 16 and 17 and 19 to 22 after it.
    await _store(engine, [(10, 0), (11, 1), (15, 1), (18, 2), (23, 3)])
    verdicts = [("BTCUSDT", 12, 14, "archive_has_a_gap", "lost"), ("BTCUSDT", 12, 13, "not_at_venue", "never_existed")]
    verdicts += [("BTCUSDT", 13, 14, "not_at_venue", "never_existed"), ("BTCUSDT", 16, 17, "gap", "never_existed")]
    await _judge(engine, verdicts)
    found = await verify(engine, "BTCUSDT", START, STOP)
    assert [(day.missing, day.never_existed, day.completeness_ppm) for day in found.days] == [
        (0, 3, 1_000_000),
        (4, 2, 333_333),
    ]
    assert [(gap.first_id, gap.missing, gap.never_existed) for gap in found.gaps] == [
        (12, 0, 3),
        (16, 0, 2),
        (19, 4, 0),
    ]
    assert not found.sound
    # Of another symbol, with another verdict, and one that a row contradicts: they say nothing. The last one does.
    await _judge(
        engine,
        [
            ("ETHUSDT", 19, 22, "gap", "never_existed"),
            ("BTCUSDT", 19, 22, "gap", "lost"),
            ("BTCUSDT", 18, 21, "gap", "never_existed"),
            ("BTCUSDT", 22, 22, "gap", "never_existed"),
        ],
    )
    assert (await verify(engine, "BTCUSDT", START, STOP)).days[1].missing == 3
    await _judge(engine, [("BTCUSDT", 19, 21, "gap", "never_existed")])
    found = await verify(engine, "BTCUSDT", START, STOP)
    assert (found.sound, [day.never_existed for day in found.days]) == (True, [3, 6])


async def _judge(engine: AsyncEngine, verdicts: Sequence[tuple[str, int, int, str, str]]) -> None:
    async with write_session(engine) as session:
        for symbol, first, last, cause, outcome in verdicts:
            values = {"symbol": symbol, "first": first, "last": last, "cause": cause, "outcome": outcome}
            await session.connection.execute(VERDICT, {**values, "time": _second(0)})


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
