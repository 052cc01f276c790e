"""Questions of people at real volume, and the planner as it is: an index serves each, and no large table is read through."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import (
    candles,
    funding,
    liquidations,
    listing,
    live_curve,
    migrate,
    paper_statistics,
    queries,
    signal_outcomes,
)
from libs.store.engine import create_engine, read_session, write_session
from libs.store.instants import instant
from libs.store.listing import Listing, Wanted

ROWS = 30_000
BEGAN = "timestamptz '2024-08-01Z'"
BEGAN_MS = 1_722_470_400_000
SYMBOL = "(ARRAY['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'BNBUSDT'])[n % 4 + 1]"
STRATEGY = "'v5' || n % 3"
AT = f"{BEGAN} + n * interval '15 seconds'"
FILLED: Mapping[str, str] = {
    "rate_snapshots (symbol, event_time, mark_price, index_price, next_funding_time)": f"{SYMBOL}, {AT}, 1, 1, {AT}",
    "signal_indicators (symbol, event_time, event_id, interval_ms, size_coverage, last_agg_id, trades_late, trades_missing,"
    " content)": f"{SYMBOL}, {AT}, n, 1, 1, n, 0, 0, '{{}}'",
    "market_indicators (event_id, symbol, kind, event_time, values, source, funding_rate)": (
        f"n, {SYMBOL}, (ARRAY['funding_rate', 'open_interest', 'ratio'])[n % 3 + 1], {AT}, '{{}}', 'x', 0.0001"
    ),
    "funding_rates (symbol, funding_time, funding_rate)": f"{SYMBOL}, {BEGAN} + n * interval '1 hour', 0.0001",
    "liquidation_events": f"n, {SYMBOL}, 'SELL', {AT}, {AT}, 1, 1, 1, 1, 'FILLED'",
    "liquidation_agg (symbol, side, window_ms, window_start, event_count, quantity, notional, largest_notional)": (
        f"{SYMBOL}, 'SELL', 60000, {BEGAN} + n * interval '1 minute', 1, 1, 1, 1"
    ),
    "klines (symbol, interval, open_time, open, high, low, close, volume)": (
        f"{SYMBOL}, '1m', {BEGAN} + n * interval '1 minute', 1, 1, 1, 1, 1"
    ),
    "signal_logs (event_id, strategy, version, symbol, event_time, score, threshold, direction, state, sentence, price,"
    " content)": (f"n, {STRATEGY}, 1, {SYMBOL}, {AT}, 1, 1, 'long', 'emitted', 'x', 1, '{{}}'"),
    "paper_trades (trade_id, signal_id, strategy, symbol, state, fills, history, market_time, exit_time, net, recorded_at)": (
        f"n, n, {STRATEGY}, {SYMBOL}, 'closed', '[]', '[]', {AT}, {AT}, 1, {AT}"
    ),
    "paper_equity": f"{STRATEGY}, {AT}, 1, 0, 0",
    "live_trades (account, trade_id, signal_id, strategy, version, symbol, direction, origin, state, quantity, quantity_left,"
    " gross, fees, funding, pnl_quote, fees_unvalued, document, exit_time, recorded_at)": (
        f"'a' || n % 3, n, n, {STRATEGY}, 1, {SYMBOL}, 'long', 'signal', 'closed', 1, 0, 1, 0, 0, 1, 0, '{{}}', {AT}, {AT}"
    ),
    "live_orders (account, client_order_id, trade_id, symbol, leg, generation, side, status, executed, reduce_only,"
    " intended_at)": (f"'a' || n % 3, n, n / 4, {SYMBOL}, 'stop', 0, 'SELL', 'new', 0, true, {AT}"),
    "live_events (account, event_id, trade_id, kind, event_time, detail)": f"'a' || n % 3, n, n / 4, 'seen', {AT}, '{{}}'",
    "account_statement (account, kind, transaction_id, asset, symbol, amount, entry_time, venue_trade_id, info)": (
        f"'a' || n % 3, 'COMMISSION', n, 'USDT', {SYMBOL}, 1, {AT}, '', ''"
    ),
    "audit_log (happened_at, who, action)": f"{AT}, 'anna' || n % 5, 'act'",
}
SPAN = {"start": instant(BEGAN_MS + 3_600_000), "end": instant(BEGAN_MS + 7_200_000)}
SPAN |= {"stop": SPAN["end"]}
WEEK = {"symbols": ["BTCUSDT"], "start": instant(BEGAN_MS), "end": instant(BEGAN_MS + 7 * 86_400_000)}
LISTS: tuple[tuple[Listing, dict[str, object], str], ...] = (
    (listing.SNAPSHOTS, {"symbol": "BTCUSDT"}, "rate_snapshots_pkey"),
    (listing.FEATURES, {"symbol": "BTCUSDT"}, "signal_indicators_pkey"),
    (listing.SLOW_INPUTS, {"symbol": "BTCUSDT"}, "market_indicators_symbol_event_time_event_id_idx"),
    (listing.SLOW_INPUTS, {"symbol": "BTCUSDT", "kind": "ratio"}, "market_indicators_symbol_"),
    (listing.FORCED_ORDERS, {"symbol": "BTCUSDT"}, "liquidation_events_symbol_trade_time_event_id_idx"),
    (listing.PAPER_TRADES, {}, "paper_trades_recorded_at_trade_id_idx"),
    (listing.PAPER_TRADES, {"strategy": "v51"}, "paper_trades_"),
    (listing.PAPER_TRADES, {"signal_id": "77"}, "paper_trades_signal_id_idx"),
    (listing.LIVE_TRADES, {"account": "a1"}, "live_trades_account_recorded_at_idx"),
    (listing.LIVE_TRADES, {"signal_id": "77"}, "live_trades_signal_id_idx"),
    (listing.LIVE_ORDERS, {"account": "a1"}, "live_orders_account_intended_at_client_order_id_idx"),
    (listing.LIVE_ORDERS, {"account": "a1", "trade_id": "77"}, "live_orders_account_trade_id_idx"),
    (listing.LIVE_EVENTS, {"account": "a1"}, "live_events_account_event_time_idx"),
    (listing.LIVE_EVENTS, {"account": "a1", "trade_id": "77"}, "live_events_account_trade_id_idx"),
    (listing.AUDIT, {}, "audit_log_happened_at_idx"),
)
ASKED: tuple[tuple[TextClause, dict[str, object]], ...] = (
    (queries.LATEST_SIGNALS, {"symbols": ["BTCUSDT", "ETHUSDT"]}),
    (signal_outcomes.SIGNAL_OUTCOMES, {"signals": [str(number) for number in range(100)]}),
    (funding.FUNDING_HISTORY, WEEK),
    (funding.FUNDING_SUMS, WEEK),
    (liquidations.LIQUIDATIONS, {"symbol": "BTCUSDT", "window_ms": 60_000, "most": 200, **SPAN}),
    (candles.RATE_CANDLES, {"symbol": "BTCUSDT", "seconds": 60.0, "most": 200, **SPAN}),
    (candles.ARCHIVE_CANDLES, {"symbol": "BTCUSDT", "interval": "1m", "most": 200, **SPAN}),
    (paper_statistics.STATISTICS, {"strategy": "v51", **SPAN}),
    (paper_statistics.EQUITY, {"strategies": ["v51"], "seconds": 60.0, **SPAN}),
    (live_curve.LIVE_CURVE, {"account": "a1", "most": 100, **SPAN}),
    (live_curve.STATED, {"account": "a1", **SPAN}),
)


async def _fill(url: str) -> None:
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    for table, values in FILLED.items():
        async with write_session(engine) as session:
            await session.raw.execute(f"INSERT INTO {table} SELECT {values} FROM generate_series(1, {ROWS}) AS n")
    async with write_session(engine) as session:
        await session.raw.execute("ANALYZE")
    await engine.dispose()


@pytest.fixture(scope="module")
def voluminous(module_database_url: str) -> str:
    """A database with some ten thousands of rows in each table that grows."""
    asyncio.run(_fill(module_database_url))
    return module_database_url


@pytest.fixture
async def engine_there(voluminous: str) -> Any:
    engine = create_engine(DatabaseSettings(database_url=voluminous))
    yield engine
    await engine.dispose()


async def _plan(engine: AsyncEngine, statement: str, parameters: Mapping[str, object]) -> str:
    named = {name: value for name, value in parameters.items() if f":{name}" in statement}
    async with read_session(engine) as session:
        return "\n".join((await session.connection.execute(text(f"EXPLAIN {statement}"), named)).scalars())


@pytest.mark.parametrize(("asked", "equal", "index"), LISTS)
async def test_a_page_of_a_list_walks_an_index(
    engine_there: AsyncEngine, asked: Listing, equal: dict[str, object], index: str
) -> None:
    first, parameters = asked.statement(Wanted(equal))
    plan = await _plan(engine_there, first, parameters)
    assert index in plan
    assert "Seq Scan" not in plan
    names = [(BEGAN_MS + 3_600_000) * 1000, *(1 if name in listing.NUMBERED else "x" for name in asked.order[1:])]
    following, parameters = asked.statement(Wanted(equal, before=tuple(names)))
    assert "Seq Scan" not in await _plan(engine_there, following, parameters)


@pytest.mark.parametrize(("asked", "parameters"), ASKED)
async def test_a_question_of_a_span_reads_that_span(
    engine_there: AsyncEngine, asked: TextClause, parameters: dict[str, object]
) -> None:
    plan = await _plan(engine_there, asked.text, parameters)
    assert "Index" in plan
    assert "Seq Scan" not in plan
