"""Bars are the sums over the trades, whatever way these came, and candles from bars are those of the trades."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.durations import HOUR_MS, MINUTE_MS
from libs.store import migrate
from libs.store.candles import Candle, CandleSpan, candle_statement, candles
from libs.store.copy_format import SymbolTrades
from libs.store.engine import read_session, write_session
from libs.store.instants import instant, milliseconds
from libs.store.partitions import Month, create_partitions
from libs.store.trades import write_trades

START_MS = 1_723_075_199_000 // HOUR_MS * HOUR_MS
IDS = 400
NAMES = (f"S{number}USDT" for number in itertools.count())
CANDLES = """
SELECT date_bin(make_interval(secs => :seconds), trade_time, timestamptz 'epoch') AS open_time,
  (array_agg(price ORDER BY agg_id))[1], max(price), min(price), (array_agg(price ORDER BY agg_id DESC))[1], sum(quantity),
  sum(price * quantity), coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0), count(*),
  sum(last_trade_id - first_trade_id + 1)::int8
FROM agg_trades WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :end
GROUP BY 1 ORDER BY 1 DESC LIMIT :most
"""
LENGTHS = (1_000, 15_000, MINUTE_MS, 3 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 24 * HOUR_MS)


def rows(symbol: str, seed: int, decimals: tuple[int, int]) -> SymbolTrades:
    """Trades over some three hours that follow from the seed alone, a few of them told late: times do not rise with ids."""
    random = np.random.default_rng(seed)
    times = START_MS + np.sort(random.integers(0, 3 * HOUR_MS, IDS))
    times += random.integers(-90_000, 90_000, IDS) * (random.random(IDS) < 0.05)
    first = np.arange(IDS, dtype=np.int64) * 3
    return SymbolTrades(
        symbol=symbol,
        price_decimals=decimals[0],
        quantity_decimals=decimals[1],
        agg_id=np.arange(1, IDS + 1, dtype=np.int64),
        price=random.integers(1, 10 ** int(random.integers(1, 12)), IDS),
        quantity=random.integers(1, 10 ** int(random.integers(1, 12)), IDS),
        first_trade_id=first,
        last_trade_id=first + random.integers(0, 3, IDS),
        trade_time=times,
        time=times,
        buyer_is_maker=random.integers(0, 2, IDS).astype(np.uint8),
    )


async def _truth(engine: AsyncEngine, span: CandleSpan) -> list[Candle]:
    parameters = {"symbol": span.symbol, "seconds": span.interval_ms / 1000, "most": span.most}
    parameters |= {"start": instant(span.start_ms), "end": instant(span.end_ms)}
    async with read_session(engine) as session:
        found = (await session.connection.execute(text(CANDLES), parameters)).all()
    return [Candle(milliseconds(row[0]), *row[1:]) for row in reversed(found)]


async def _check_bars(engine: AsyncEngine, symbol: str) -> None:
    for window_ms in (MINUTE_MS, HOUR_MS):
        async with read_session(engine) as session:
            stored = await session.connection.execute(
                text(
                    "SELECT open_time, open, high, low, close, volume, quote_volume, buy_volume, agg_trades, trades"
                    " FROM trade_bars WHERE symbol = :symbol AND window_ms = :window_ms ORDER BY open_time"
                ),
                {"symbol": symbol, "window_ms": window_ms},
            )
            bars = [Candle(milliseconds(row[0]), *row[1:]) for row in stored.all()]
        assert bars == await _truth(engine, CandleSpan(symbol, window_ms, 0, START_MS * 2, 1000))


@pytest.fixture
async def prepared(engine: AsyncEngine) -> AsyncEngine:
    async with write_session(engine) as session:
        await create_partitions(session, [Month(2024, 8)])
    return engine


# Without shrinking: each attempt is a conversation with a database.
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 2**32),
    decimals=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    batches=st.lists(
        st.tuples(st.integers(0, IDS), st.integers(1, IDS), st.sampled_from((1, 1, 2, 3))), min_size=1, max_size=8
    ),
    spans=st.lists(
        st.tuples(
            st.integers(-HOUR_MS, 3 * HOUR_MS),
            st.integers(0, 4 * HOUR_MS),
            st.sampled_from(LENGTHS),
            st.integers(1, 900),
        ),
        min_size=3,
        max_size=8,
    ),
)
async def test_bars_and_candles_are_the_sums_over_the_trades(
    prepared: AsyncEngine,
    seed: int,
    decimals: tuple[int, int],
    batches: list[tuple[int, int, int]],
    spans: list[tuple[int, int, int, int]],
) -> None:
    """Batches come in any order, overlap, come again, have holes that later ones fill, and change their scale."""
    symbol = next(NAMES)
    known = rows(symbol, seed, decimals)
    for first, count, step in batches:
        chosen = np.zeros(IDS, bool)
        chosen[first : first + count : step] = True
        part = known.select(chosen)
        half = np.arange(len(part)) < len(part) // 2
        async with write_session(prepared) as session:
            if step == 3:  # the same values in another scale, as after a change of the exchange's filters
                finer = replace(part.select(~half), price_decimals=decimals[0] + 1)
                finer.price[:] *= 10
                await write_trades(session, [part.select(half), finer])
            else:
                await write_trades(session, [part])
    await _check_bars(prepared, symbol)
    for start, length, interval_ms, most in spans:
        span = CandleSpan(symbol, interval_ms, START_MS + start, START_MS + start + length, most)
        async with read_session(prepared) as session:
            assert await candles(session, span) == await _truth(prepared, span)


async def test_sums_beyond_64_bits_are_exact(prepared: AsyncEngine) -> None:
    made = rows("BIGUSDT", 1, (8, 8))
    made.price[:] = 2**52 + np.arange(IDS)
    made.quantity[:] = 2**50 + np.arange(IDS)
    async with write_session(prepared) as session:
        await write_trades(session, [made])
    await _check_bars(prepared, "BIGUSDT")


async def test_what_is_rolled_back_is_in_no_bar(prepared: AsyncEngine) -> None:
    async with write_session(prepared) as session:
        await write_trades(session, [rows("AUSDT", 1, (2, 3))])
        await session.connection.rollback()
    async with read_session(prepared) as session:
        assert (await session.connection.execute(text("SELECT count(*) FROM trade_bars"))).scalar_one() == 0


async def test_an_older_database_gets_its_bars_from_its_trades(prepared: AsyncEngine) -> None:
    async with write_session(prepared) as session:
        await write_trades(session, [rows("AUSDT", 1, (2, 3)), rows("BUSDT", 2, (4, 0))])
    await migrate.downgrade(prepared, "0010")
    await migrate.upgrade(prepared)
    for symbol in ("AUSDT", "BUSDT"):
        await _check_bars(prepared, symbol)


async def _plan(engine: AsyncEngine, span: CandleSpan) -> str:
    statement, parameters = candle_statement(span)
    async with read_session(engine) as session:
        return "\n".join((await session.connection.execute(text(f"EXPLAIN {statement}"), parameters)).scalars())


async def test_candles_of_one_symbol_among_many_read_its_bars_and_few_of_its_trades(prepared: AsyncEngine) -> None:
    """With real volume, and the planner as it is."""
    for number in range(40):
        made = rows(f"M{number}USDT", number, (2, 3))
        for part in range(10):
            later = replace(made, agg_id=made.agg_id + IDS * part)
            later.trade_time[:] += 3 * HOUR_MS * (part > 0)
            async with write_session(prepared) as session:
                await write_trades(session, [replace(later, time=later.trade_time)])
    async with write_session(prepared) as session:
        await session.raw.execute("ANALYZE agg_trades, trade_bars")
    day = CandleSpan("M7USDT", HOUR_MS, START_MS + 1, START_MS + 24 * HOUR_MS + 1, 200)
    seconds = CandleSpan("M7USDT", 1_000, START_MS + 3 * HOUR_MS, START_MS + 3 * HOUR_MS + 200_000, 200)
    for span, expected in ((day, "trade_bars_pkey"), (seconds, "agg_trades_y2024m08_pkey")):
        plan = await _plan(prepared, span)
        assert expected in plan
        assert "Seq Scan" not in plan
