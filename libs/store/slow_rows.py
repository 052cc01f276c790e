"""Stored liquidations, slow inputs, mark prices and settled rates of a span, in time order: what exports and replays read."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any, Literal

from sqlalchemy import text

from libs.store.engine import Engine, read_session

SlowTable = Literal["liquidation_events", "market_indicators", "rate_snapshots", "funding_rates"]
_TIMEOUT_MS = 600_000
_PAGE_ROWS = 10_000
# The time column of each table, and what makes its order total.
_ORDER: dict[str, tuple[str, str]] = {
    "liquidation_events": ("trade_time", "event_id"),
    "market_indicators": ("event_time", "event_id"),
    "rate_snapshots": ("event_time", "symbol"),
    "funding_rates": ("funding_time", "symbol"),
}
_COLUMNS = {
    "liquidation_events": "event_id, symbol, side, trade_time, event_time, quantity, average_price, order_price,"
    " last_filled_quantity, status, effective_at",
    "market_indicators": 'event_id, symbol, kind, period, event_time, "values"::text AS "values", source, effective_at,'
    " available_at, availability_assumed, raw::text AS raw",
    "rate_snapshots": "symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average,"
    " funding_rate, next_funding_time, effective_at, basis_percent, lowest_mark_price, highest_mark_price",
    "funding_rates": "symbol, funding_time, funding_rate, interval_hours",
}


async def slow_days(
    engine: Engine, table: SlowTable, symbols: list[str], start: dt.datetime, stop: dt.datetime
) -> list[dt.date]:
    """The UTC days in [start, stop) with rows of the symbols (of all when none is named)."""
    time, _ = _ORDER[table]
    question = text(
        f"SELECT DISTINCT ({time} AT TIME ZONE 'UTC')::date AS day FROM {table}"  # noqa: S608 - constants of this file
        f" WHERE {time} >= :start AND {time} < :stop AND (:every OR symbol = ANY(:symbols)) ORDER BY day"
    )
    asked = {"start": start, "stop": stop, "every": not symbols, "symbols": symbols}
    async with read_session(engine, _TIMEOUT_MS) as session:
        return list((await session.connection.execute(question, asked)).scalars())


async def slow_rows(
    engine: Engine, table: SlowTable, symbols: list[str], start: dt.datetime, stop: dt.datetime
) -> AsyncIterator[list[dict[str, Any]]]:
    """Pages of rows of the symbols (of all when none is named) with times in [start, stop), columns by name, oldest first."""
    time, tie = _ORDER[table]
    question = text(
        f"SELECT {_COLUMNS[table]} FROM {table} WHERE {time} >= :start AND {time} < :stop"  # noqa: S608 - constants of this file
        f" AND (:every OR symbol = ANY(:symbols)) AND ({time}, {tie}) > (:after, CAST(:tie AS text))"
        f" ORDER BY {time}, {tie} LIMIT {_PAGE_ROWS}"
    )
    asked: dict[str, Any] = {"start": start, "stop": stop, "every": not symbols, "symbols": symbols}
    after, last = start, ""
    while True:
        async with read_session(engine, _TIMEOUT_MS) as session:
            found = (await session.connection.execute(question, {**asked, "after": after, "tie": last})).mappings()
            page = [dict(row) for row in found]
        if not page:
            return
        yield page
        after, last = page[-1][time], page[-1][tie]
