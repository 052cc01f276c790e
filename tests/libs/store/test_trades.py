"""Aggregate trades: exact values, idempotence, conflicts kept aside, meta true in every order of events."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.market import Hole
from libs.contracts.timeline import PlacedHole
from libs.store.copy_format import SymbolTrades
from libs.store.engine import read_session, write_session
from libs.store.gaps import write_gaps
from libs.store.partitions import create_partitions, months_between
from libs.store.trades import TradesWritten, compare_trades, write_trades

AUGUST_2024_MS = 1_723_075_199_000
COLUMNS = "agg_id, trade_time, price, quantity, first_trade_id, last_trade_id, buyer_is_maker, effective_time"


def trades(first_id: int, count: int, *, symbol: str = "BTCUSDT", decimals: int = 2) -> SymbolTrades:
    """Rows that follow from their ids alone, so that equal ids have equal content."""
    ids = np.arange(first_id, first_id + count, dtype=np.int64)
    times = AUGUST_2024_MS + ids * 10
    return SymbolTrades(
        symbol=symbol,
        price_decimals=decimals,
        quantity_decimals=3,
        agg_id=ids,
        price=6_000_000 + ids % 1000,
        quantity=1 + ids % 77,
        first_trade_id=ids * 2,
        last_trade_id=ids * 2 + 1,
        trade_time=times,
        time=times,
        buyer_is_maker=(ids % 2).astype(np.uint8),
    )


async def _write(engine: AsyncEngine, *groups: SymbolTrades) -> TradesWritten:
    async with write_session(engine) as session:
        await create_partitions(session, months_between(AUGUST_2024_MS, AUGUST_2024_MS))
    async with write_session(engine) as session:
        return await write_trades(session, groups)


async def _all(engine: AsyncEngine, statement: str) -> list[tuple[Any, ...]]:
    async with read_session(engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]


async def _meta(engine: AsyncEngine) -> tuple[Any, ...]:
    columns = "first_id, last_id, row_count, missing_count, late_count, conflict_count"
    return (await _all(engine, f"SELECT {columns} FROM agg_trades_meta WHERE symbol = 'BTCUSDT'"))[0]


async def test_rows_keep_their_exact_values_and_scale(engine: AsyncEngine) -> None:
    await _write(engine, trades(123_456, 1))
    found = await _all(engine, f"SELECT {COLUMNS} FROM agg_trades")
    row = found[0]
    assert row[0] == 123_456
    assert row[1].timestamp() * 1000 == AUGUST_2024_MS + 1_234_560
    assert (row[2], str(row[2])) == (Decimal("60004.56"), "60004.56")
    assert str(row[3]) == str(Decimal(1 + 123_456 % 77).scaleb(-3))
    assert row[4:] == (246_912, 246_913, False, None)


async def test_a_second_run_adds_nothing(engine: AsyncEngine) -> None:
    first = await _write(engine, trades(10, 500), trades(3, 100, symbol="ETHUSDT"))
    before = await _meta(engine)
    second = await _write(engine, trades(10, 500), trades(3, 100, symbol="ETHUSDT"))
    assert (first.added, second.added, second.known, second.conflicting()) == (600, 0, 600, [])
    assert await _all(engine, "SELECT count(*) FROM agg_trades") == [(600,)]
    assert await _meta(engine) == before == (10, 509, 500, 0, 0, 0)


async def test_overlapping_batches_add_only_what_is_new(engine: AsyncEngine) -> None:
    await _write(engine, trades(100, 50))
    written = await _write(engine, trades(90, 80))
    assert (written.added, written.known) == (30, 50)
    assert await _meta(engine) == (90, 169, 80, 0, 0, 0)


async def test_other_content_under_a_known_id_is_kept_aside_once(engine: AsyncEngine) -> None:
    await _write(engine, trades(1, 10))
    other = trades(1, 10)
    other.price[4] += 1
    other.trade_time[7] += 3_600_000  # another time is another primary key, and still the same trade id
    for expected in ([5, 8], []):
        written = await _write(engine, other)
        assert [conflict.key for conflict in written.conflicting()] == [f"BTCUSDT:{number}" for number in expected]
        assert written.added == 0
    assert await _all(engine, "SELECT agg_id FROM agg_trades_conflicts ORDER BY 1") == [(5,), (8,)]
    assert await _all(engine, "SELECT count(*), count(DISTINCT agg_id) FROM agg_trades") == [(10, 10)]
    assert (await _meta(engine))[5] == 2


async def test_what_the_gate_dropped_is_compared_and_never_added(engine: AsyncEngine) -> None:
    await _write(engine, trades(1, 10))
    dropped = trades(5, 10)
    dropped.quantity[0] += 5
    async with write_session(engine) as session:
        compared = await compare_trades(session, [dropped])
    assert [conflict.key for conflict in compared.conflicting()] == ["BTCUSDT:5"]
    assert (await _meta(engine))[:3] == (1, 10, 10)


async def test_rows_written_behind_the_meta_tables_back_are_found(engine: AsyncEngine) -> None:
    await _write(engine, trades(1, 10))
    async with write_session(engine) as session:
        await session.raw.execute("UPDATE agg_trades_meta SET last_id = 4")
    written = await _write(engine, trades(3, 10))
    assert (written.added, written.known) == (2, 8)
    assert await _all(engine, "SELECT count(*), count(DISTINCT agg_id) FROM agg_trades") == [(12, 12)]


async def test_late_rows_keep_both_times(engine: AsyncEngine) -> None:
    rows = trades(1, 5)
    effective = rows.time.copy()
    effective[2] += 5000
    await _write(engine, replace(rows, time=effective))
    found = await _all(
        engine, "SELECT agg_id, effective_time - trade_time FROM agg_trades WHERE effective_time IS NOT NULL"
    )
    assert [(number, late.total_seconds()) for number, late in found] == [(3, 5.0)]
    assert (await _meta(engine))[4] == 1


async def test_a_change_of_scale_within_a_batch_keeps_the_values(engine: AsyncEngine) -> None:
    await _write(engine, trades(1, 2, decimals=2), trades(3, 2, decimals=5))
    prices = await _all(engine, "SELECT price FROM agg_trades ORDER BY agg_id")
    assert [str(price) for (price,) in prices] == ["60000.01", "60000.02", "60.00003", "60.00004"]


async def test_holes_are_counted_once_and_less_when_they_are_filled(engine: AsyncEngine) -> None:
    await _write(engine, trades(1, 10), trades(21, 10))
    hole = Hole("BTCUSDT", 11, 20, AUGUST_2024_MS, AUGUST_2024_MS + 1000, "rest_no_longer_has_it")
    overlapping = Hole("BTCUSDT", 15, 20, AUGUST_2024_MS, AUGUST_2024_MS + 1000, "second run")
    for holes, new in (([hole], 1), ([hole], 0), ([overlapping], 1)):
        async with write_session(engine) as session:
            assert await write_gaps(session, [PlacedHole(-1, hole) for hole in holes]) == new
        assert (await _meta(engine))[3] == 10
    await _write(engine, trades(11, 4))
    assert (await _meta(engine))[3] == 6


async def test_a_hole_before_the_first_row_is_remembered(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await write_gaps(session, [PlacedHole(-1, Hole("BTCUSDT", 1, 3, AUGUST_2024_MS, AUGUST_2024_MS, "gone"))])
    assert await _meta(engine) == (None, None, 0, 3, 0, 0)


@given(
    rows=st.lists(st.tuples(st.integers(-(2**53), 2**53), st.integers(0, 2**53)), min_size=1, max_size=20),
    decimals=st.integers(0, 15),
)
def test_the_binary_numeric_is_the_scaled_integer(rows: list[tuple[int, int]], decimals: int) -> None:
    from libs.store.copy_format import _numeric

    values = np.array([value for row in rows for value in row], np.int64)
    encoded = _numeric(values, decimals)
    for value, digits, sign in zip(values.tolist(), encoded.digits.tolist(), encoded.sign.tolist(), strict=True):
        total = sum(Decimal(digit) * Decimal(10_000) ** (encoded.weight - place) for place, digit in enumerate(digits))
        assert (-total if sign else total) == Decimal(value).scaleb(-decimals)
        assert all(0 <= digit < 10_000 for digit in digits)
