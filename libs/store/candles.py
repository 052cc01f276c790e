"""Candles of any length from what is stored of a symbol: its bars and trades, its mark prices, or the bars of archives."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from libs.kit.durations import HOUR_MS, MINUTE_MS
from libs.store.engine import ReadSession
from libs.store.instants import instant, milliseconds

_BARS = """
SELECT open_time AS at, first_id, last_id, open, high, low, close, volume, quote_volume, buy_volume, agg_trades, trades
FROM trade_bars WHERE symbol = :symbol AND window_ms = {window_ms} AND open_time >= :{name}_start AND open_time < :{name}_end
"""
# The minutes say which ids to look between: by time alone, a span would be read of all symbols.
_TRADES = """
SELECT trade_time AS at, agg_id AS first_id, agg_id AS last_id, price AS open, price AS high, price AS low, price AS close,
  quantity AS volume, price * quantity AS quote_volume, CASE WHEN buyer_is_maker THEN 0 ELSE quantity END AS buy_volume,
  1 AS agg_trades, last_trade_id - first_trade_id + 1 AS trades
FROM agg_trades WHERE symbol = :symbol AND trade_time >= :{name}_start AND trade_time < :{name}_end
  AND agg_id >= (SELECT min(first_id) FROM trade_bars WHERE symbol = :symbol AND window_ms = 60000
    AND open_time >= :{name}_first AND open_time < :{name}_end)
  AND agg_id <= (SELECT max(last_id) FROM trade_bars WHERE symbol = :symbol AND window_ms = 60000
    AND open_time >= :{name}_first AND open_time < :{name}_end)
"""
_CANDLES = """
WITH parts AS ({parts})
SELECT date_bin(make_interval(secs => :seconds), at, timestamptz 'epoch') AS open_time,
  (array_agg(open ORDER BY first_id))[1] AS open, max(high) AS high, min(low) AS low,
  (array_agg(close ORDER BY last_id DESC))[1] AS close, sum(volume) AS volume, sum(quote_volume) AS quote_volume,
  sum(buy_volume) AS buy_volume, sum(agg_trades)::int8 AS agg_trades, sum(trades)::int8 AS trades
FROM parts GROUP BY 1 ORDER BY 1 DESC LIMIT :most
"""
RATE_CANDLES = text("""
SELECT date_bin(make_interval(secs => :seconds), event_time, timestamptz 'epoch') AS open_time,
  (array_agg(mark_price ORDER BY event_time))[1] AS open, max(mark_price) AS high, min(mark_price) AS low,
  (array_agg(mark_price ORDER BY event_time DESC))[1] AS close
FROM rate_snapshots WHERE symbol = :symbol AND event_time >= :start AND event_time < :end
GROUP BY 1 ORDER BY 1 DESC LIMIT :most
""")
ARCHIVE_CANDLES = text("""
SELECT open_time, open, high, low, close, volume, quote_volume, taker_buy_volume AS buy_volume, trade_count AS trades
FROM klines WHERE symbol = :symbol AND interval = :interval AND open_time >= :start AND open_time < :end
ORDER BY open_time DESC LIMIT :most
""")
_NEWEST_RATE = text(
    "SELECT event_time FROM rate_snapshots WHERE symbol = :symbol AND event_time <= :until ORDER BY event_time DESC LIMIT 1"
)
_NEWEST_ARCHIVED = text(
    "SELECT open_time FROM klines WHERE symbol = :symbol AND interval = :interval ORDER BY open_time DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class CandleSpan:
    """Which candles: of `symbol`, `interval_ms` long, what is of `start_ms <= time < end_ms`; the newest `most` of them."""

    symbol: str
    interval_ms: int
    start_ms: int
    end_ms: int
    most: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One interval that had trades; volumes in base units, `quote_volume` in quote units, `buy_volume` of takers that bought."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    buy_volume: Decimal
    agg_trades: int
    trades: int


@dataclass(frozen=True, slots=True)
class PriceCandle:
    """One interval of mark prices, or of an archive's bars, whose volumes may be unknown (None); units as of `Candle`."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    quote_volume: Decimal | None = None
    buy_volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a span that is read from bars of `window_ms`, or from the trades themselves (0)."""

    window_ms: int
    start_ms: int
    end_ms: int


def candle_statement(span: CandleSpan) -> tuple[str, dict[str, object]]:
    """The statement and its parameters: whole hours and minutes from bars, what is left at the ends from trades."""
    parameters: dict[str, object] = {"symbol": span.symbol, "seconds": span.interval_ms / 1000, "most": span.most}
    parts = []
    for number, piece in enumerate(_pieces(span.start_ms, span.end_ms, span.interval_ms)):
        name = f"part{number}"
        parameters |= {f"{name}_start": instant(piece.start_ms), f"{name}_end": instant(piece.end_ms)}
        if piece.window_ms:
            parts.append(_BARS.format(name=name, window_ms=piece.window_ms))
        else:
            parameters[f"{name}_first"] = instant(piece.start_ms // MINUTE_MS * MINUTE_MS)
            parts.append(_TRADES.format(name=name))
    if not parts:
        parameters |= {"none_start": instant(0), "none_end": instant(0)}
        parts.append(_BARS.format(name="none", window_ms=MINUTE_MS))
    return _CANDLES.format(parts="UNION ALL".join(parts)), parameters


def _pieces(start_ms: int, end_ms: int, interval_ms: int) -> Iterator[_Piece]:
    """[start, end) without overlap: the longest bars that fit into the interval and the span, then shorter ones, then trades."""
    fitting = [window_ms for window_ms in (HOUR_MS, MINUTE_MS) if interval_ms % window_ms == 0]
    for window_ms in fitting:
        first, last = -(-start_ms // window_ms) * window_ms, end_ms // window_ms * window_ms
        if first < last:
            yield _Piece(window_ms, first, last)
            shorter = MINUTE_MS if window_ms > MINUTE_MS else 1
            yield from _pieces(start_ms, first, shorter)
            yield from _pieces(last, end_ms, shorter)
            return
    if start_ms < end_ms:
        yield _Piece(0, start_ms, end_ms)


async def candles(session: ReadSession, span: CandleSpan) -> list[Candle]:
    """Candles from aggregate trades, oldest first; intervals without trades are left out.

    Open and close are the first and last trade by aggregate id. Interval edges count from the epoch (UTC).
    """
    statement, parameters = candle_statement(span)
    rows = (await session.connection.execute(text(statement), parameters)).all()
    return [Candle(milliseconds(row.open_time), *row[1:]) for row in reversed(rows)]


async def rate_candles(session: ReadSession, span: CandleSpan) -> list[PriceCandle]:
    """Candles of the mark prices of every two seconds, oldest first; they have no volume."""
    rows = (await session.connection.execute(RATE_CANDLES, _asked(span))).all()
    return [PriceCandle(milliseconds(row.open_time), *row[1:]) for row in reversed(rows)]


async def archive_candles(session: ReadSession, span: CandleSpan, interval: str) -> list[PriceCandle]:
    """The bars that were imported from archives of this interval, oldest first."""
    rows = (await session.connection.execute(ARCHIVE_CANDLES, {**_asked(span), "interval": interval})).all()
    return [PriceCandle(milliseconds(row.open_time), *row[1:8]) for row in reversed(rows)]


async def last_rate_time(session: ReadSession, symbol: str, until_ms: int) -> int | None:
    """The time (ms) of the newest stored mark price up to `until_ms`, or None when there is none."""
    return await _moment(session, _NEWEST_RATE, {"symbol": symbol, "until": instant(until_ms)})


async def last_archived_time(session: ReadSession, symbol: str, interval: str) -> int | None:
    """When the newest imported bar of this interval begins (ms), or None when there is none."""
    return await _moment(session, _NEWEST_ARCHIVED, {"symbol": symbol, "interval": interval})


async def _moment(session: ReadSession, question: Any, parameters: dict[str, object]) -> int | None:
    found = (await session.connection.execute(question, parameters)).scalar_one_or_none()
    return None if found is None else milliseconds(found)


def _asked(span: CandleSpan) -> dict[str, object]:
    return {
        "symbol": span.symbol,
        "seconds": span.interval_ms / 1000,
        "start": instant(span.start_ms),
        "end": instant(span.end_ms),
        "most": span.most,
    }
