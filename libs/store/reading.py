"""Stored trades as columns of integers, page by page: what exports and replays read, exact and without a Python object a row."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sqlalchemy import text

from libs.contracts.frames import Int64
from libs.kit.errors import UserError
from libs.store.copy_format import HEADER, TRAILER, SymbolTrades
from libs.store.engine import Engine, RawConnection, ReadSession, read_session

PAGE_ROWS = 100_000
_TIMEOUT_MS = 600_000
_NAMES = (
    *("agg_id", "price", "quantity", "first_trade_id", "last_trade_id"),
    *("trade_time", "time", "buyer_is_maker", "fits"),
)
# Every column as int8, so that the rows of a binary COPY have one length; the scales are those of the whole span.
_PAGE = """
SELECT agg_id, trunc(price * 10::numeric ^ $4)::int8, trunc(quantity * 10::numeric ^ $5)::int8, first_trade_id, last_trade_id,
  (extract(epoch FROM trade_time) * 1000)::int8, (extract(epoch FROM coalesce(effective_time, trade_time)) * 1000)::int8,
  buyer_is_maker::int::int8, (scale(trim_scale(price)) <= $4 AND scale(trim_scale(quantity)) <= $5)::int::int8
FROM agg_trades WHERE symbol = $1 AND agg_id >= $2 AND agg_id <= $3 AND trade_time >= $6 AND trade_time < $7
ORDER BY agg_id LIMIT $8
"""
_SPAN = text(
    "SELECT min(agg_id) AS first_id, max(agg_id) AS last_id, max(scale(price)) AS price_decimals,"
    " max(scale(quantity)) AS quantity_decimals FROM agg_trades"
    " WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :stop"
)
_DAYS = text(
    "SELECT DISTINCT (trade_time AT TIME ZONE 'UTC')::date AS day FROM agg_trades"
    " WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :stop ORDER BY day"
)
_SYMBOLS = text("SELECT symbol FROM agg_trades_meta WHERE row_count > 0 ORDER BY symbol")
# One step of the index a symbol, not a row of the table.
_SLOW_SYMBOLS = """
(WITH RECURSIVE known AS (
  SELECT min(symbol) AS symbol FROM {table}
  UNION ALL SELECT (SELECT min(symbol) FROM {table} WHERE symbol > known.symbol) FROM known WHERE known.symbol IS NOT NULL)
SELECT symbol FROM known WHERE symbol IS NOT NULL)
"""
_STORED_SYMBOLS = text(
    "SELECT symbol FROM agg_trades_meta WHERE row_count > 0 UNION "  # noqa: S608 - the tables are constants
    + " UNION ".join(_SLOW_SYMBOLS.format(table=table) for table in ("liquidation_events", "market_indicators"))
    + " ORDER BY symbol"
)
_CAUSES = text(
    "SELECT first_missing_id, cause FROM market_data_gaps WHERE symbol = :symbol AND first_missing_id BETWEEN :first AND :last"
)


class UnfitRow(UserError):
    """A stored row that cannot leave the database exactly: which one, and why."""


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """The ids of a symbol's rows in [start, stop), and the scales in which they are stored."""

    symbol: str
    start: dt.datetime
    stop: dt.datetime
    first_id: int
    last_id: int
    price_decimals: int
    quantity_decimals: int


async def traded_symbols(engine: Engine) -> list[str]:
    """The symbols with rows in agg_trades, in name order."""
    async with read_session(engine) as session:
        return list((await session.connection.execute(_SYMBOLS)).scalars())


async def stored_symbols(engine: Engine) -> list[str]:
    """The symbols with trades, liquidations or slow inputs, in name order."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        return list((await session.connection.execute(_STORED_SYMBOLS)).scalars())


async def traded_days(engine: Engine, symbol: str, start: dt.datetime, stop: dt.datetime) -> list[dt.date]:
    """The UTC days in [start, stop) that have trades of the symbol."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        asked = {"symbol": symbol, "start": start, "stop": stop}
        return list((await session.connection.execute(_DAYS, asked)).scalars())


async def stored_span(engine: Engine, symbol: str, start: dt.datetime, stop: dt.datetime) -> StoredSpan | None:
    """What is stored of a symbol in [start, stop), times in UTC; None when nothing is."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        asked = {"symbol": symbol, "start": start, "stop": stop}
        row = (await session.connection.execute(_SPAN, asked)).one()
    if row.first_id is None:
        return None
    return StoredSpan(symbol, start, stop, row.first_id, row.last_id, row.price_decimals, row.quantity_decimals)


async def gap_causes(engine: Engine, span: StoredSpan) -> dict[int, str]:
    """Why ids of the span are missing, as far as somebody said so, by the first of them."""
    async with read_session(engine) as session:
        asked = {"symbol": span.symbol, "first": span.first_id, "last": span.last_id}
        return {row.first_missing_id: row.cause for row in (await session.connection.execute(_CAUSES, asked)).all()}


async def trade_pages(engine: Engine, span: StoredSpan, page_rows: int = PAGE_ROWS) -> AsyncIterator[SymbolTrades]:
    """The span's rows in id order, at most `page_rows` at a time, each page in a transaction of its own.

    Raises `UnfitRow` when a value has more decimals than the span's scale, or does not fit 64 bits.
    """
    first = span.first_id
    while first <= span.last_id:
        async with read_session(engine, _TIMEOUT_MS) as session:
            columns = await _page(session, span, first, page_rows)
        if not len(columns["agg_id"]):
            return
        if not columns["fits"].all():
            at = int(columns["agg_id"][np.argmin(columns["fits"])])
            what = (
                f"a value of {span.symbol} {at} has more than {span.price_decimals}/{span.quantity_decimals} decimals"
            )
            raise UnfitRow(what, where="agg_trades", todo="leave that span out")
        yield SymbolTrades(
            symbol=span.symbol,
            price_decimals=span.price_decimals,
            quantity_decimals=span.quantity_decimals,
            buyer_is_maker=columns["buyer_is_maker"].astype(np.uint8),
            **{name: columns[name] for name in _NAMES if name not in ("buyer_is_maker", "fits")},
        )
        first = int(columns["agg_id"][-1]) + 1


async def _page(session: ReadSession, span: StoredSpan, first: int, rows: int) -> dict[str, Int64]:
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    scales = (span.price_decimals, span.quantity_decimals)
    arguments = (span.symbol, first, span.last_id, *scales, span.start, span.stop, rows)
    await (await _raw(session)).copy_from_query(_PAGE, *arguments, output=keep, format="binary")
    content = b"".join(parts)[len(HEADER) : -len(TRAILER)]
    layout = [("fields", ">i2"), *((f"{part}{name}", kind) for name in _NAMES for part, kind in _CELL)]
    table = np.frombuffer(content, np.dtype(layout))
    return {name: table[name].astype(np.int64) for name in _NAMES}


_CELL = (("length_", ">i4"), ("", ">i8"))


async def _raw(session: ReadSession) -> RawConnection:
    pooled = await session.connection.get_raw_connection()
    return cast("RawConnection", cast("Any", pooled).driver_connection)
