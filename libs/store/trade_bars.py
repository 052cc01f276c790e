"""Bars of a minute and of an hour, kept in the transaction that adds the trades, so that candles of any span are few rows.

A row of agg_trades is added once, under the lock of its symbol: adding it to its bars there, in any order of rows, keeps each bar
equal to the sums over its trades.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.contracts.frames import Int64
from libs.kit.durations import HOUR_MS, MINUTE_MS
from libs.store.copy_format import SymbolTrades
from libs.store.engine import WriteSession
from libs.store.instants import instant

_MERGE = """
ON CONFLICT (symbol, window_ms, open_time) DO UPDATE SET
  open = CASE WHEN EXCLUDED.first_id < kept.first_id THEN EXCLUDED.open ELSE kept.open END,
  close = CASE WHEN EXCLUDED.last_id > kept.last_id THEN EXCLUDED.close ELSE kept.close END,
  first_id = least(kept.first_id, EXCLUDED.first_id), last_id = greatest(kept.last_id, EXCLUDED.last_id),
  high = greatest(kept.high, EXCLUDED.high), low = least(kept.low, EXCLUDED.low),
  volume = kept.volume + EXCLUDED.volume, quote_volume = kept.quote_volume + EXCLUDED.quote_volume,
  buy_volume = kept.buy_volume + EXCLUDED.buy_volume, agg_trades = kept.agg_trades + EXCLUDED.agg_trades,
  trades = kept.trades + EXCLUDED.trades
"""
_INTO_BARS = """
INSERT INTO trade_bars AS kept (symbol, window_ms, open_time, first_id, last_id, open, high, low, close, volume, quote_volume,
  buy_volume, agg_trades, trades)
"""
_ADD = (
    _INTO_BARS
    + """
SELECT * FROM unnest($1::text[], $2::int4[], $3::timestamptz[], $4::int8[], $5::int8[], $6::numeric[], $7::numeric[],
  $8::numeric[], $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::int8[], $14::int8[])
"""
    + _MERGE
)
_SUMS = """
SELECT symbol, {window_ms}, date_bin(interval '{window_ms} milliseconds', trade_time, timestamptz 'epoch'), min(agg_id),
  max(agg_id),
  (array_agg(price ORDER BY agg_id))[1], max(price), min(price), (array_agg(price ORDER BY agg_id))[count(*)], sum(quantity),
  sum(price * quantity), coalesce(sum(quantity) FILTER (WHERE NOT buyer_is_maker), 0), count(*),
  sum(last_trade_id - first_trade_id + 1)
FROM {rows} GROUP BY 1, 3
"""
_WIDE = Context(prec=60)
_FITS = 1 << 62
Integers = NDArray[Any]


def bars_of(rows: str, window_ms: int) -> str:
    """The statement that adds rows which are new in agg_trades to their bars of one length; `rows`: a table with its columns."""
    return _INTO_BARS + _SUMS.format(rows=rows, window_ms=window_ms) + _MERGE


@dataclass(frozen=True, slots=True)
class _Parts:
    """Trades or bars as equally long columns, by symbol (`code`) and rising ids; money as integers of the symbol's scale."""

    code: Int64
    time: Int64
    first_id: Int64
    last_id: Int64
    open: Int64
    high: Int64
    low: Int64
    close: Int64
    volume: Integers
    quote_volume: Integers
    buy_volume: Integers
    agg_trades: Int64
    trades: Int64


async def add_to_bars(session: WriteSession, groups: Sequence[SymbolTrades]) -> None:
    """Add rows that are new in agg_trades to their bars; the symbols must be locked (`lock_symbols`). Raises asyncpg errors."""
    for layer in _layers(groups):
        columns: list[list[Any]] = [[] for _ in range(14)]
        minutes = _merged(_parts(layer), MINUTE_MS)
        for window_ms, bars in ((MINUTE_MS, minutes), (HOUR_MS, _merged(minutes, HOUR_MS))):
            for column, values in zip(columns, _rows(layer, window_ms, bars), strict=True):
                column.extend(values)
        await session.raw.execute(_ADD, *columns)


def _layers(groups: Sequence[SymbolTrades]) -> Iterator[list[SymbolTrades]]:
    """The groups so that no symbol comes twice: one statement may touch a row once, and each scale is a group."""
    left = [group for group in groups if len(group)]
    while left:
        first = {group.symbol: group for group in reversed(left)}
        yield list(first.values())
        left = [group for group in left if first[group.symbol] is not group]


def _parts(groups: Sequence[SymbolTrades]) -> _Parts:
    """Each trade as a part of its own."""
    lengths = [len(group) for group in groups]
    price = np.concatenate([group.price for group in groups])
    quantity: Integers = np.concatenate([group.quantity for group in groups])
    largest = max(1, int(np.abs(price).max())) * max(1, int(np.abs(quantity).max()))
    if largest * len(price) >= _FITS:
        quantity = quantity.astype(object)  # sums beyond 64 bits: rare, slow, and right
    ids = np.concatenate([group.agg_id for group in groups])
    bought = np.concatenate([group.buyer_is_maker for group in groups]) == 0
    counted = np.concatenate([group.last_trade_id - group.first_trade_id + 1 for group in groups])
    return _Parts(
        code=np.repeat(np.arange(len(groups), dtype=np.int64), lengths),
        time=np.concatenate([group.trade_time for group in groups]),
        first_id=ids,
        last_id=ids,
        **dict.fromkeys(("open", "high", "low", "close"), price),
        volume=quantity,
        quote_volume=price * quantity,
        buy_volume=quantity * bought,
        agg_trades=np.ones(len(ids), np.int64),
        trades=counted,
    )


def _merged(parts: _Parts, window_ms: int) -> _Parts:
    """One part a symbol and window, `time` the window's start."""
    windows = parts.time // window_ms
    order = np.lexsort((parts.first_id, windows, parts.code))
    # Bars may overlap in their ids, since times need not rise with them: the last one is not the one that begins last.
    by_last = order if parts.last_id is parts.first_id else np.lexsort((parts.last_id, windows, parts.code))
    code, window = parts.code[order], windows[order]
    new = (np.diff(code, prepend=-1) != 0) | (np.diff(window, prepend=-1) != 0)
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(code)) - 1

    def total(values: Integers) -> Integers:
        return np.add.reduceat(values[order], starts)

    return _Parts(
        code=code[starts],
        time=window[starts] * window_ms,
        first_id=parts.first_id[order][starts],
        last_id=parts.last_id[by_last][ends],
        open=parts.open[order][starts],
        high=np.maximum.reduceat(parts.high[order], starts),
        low=np.minimum.reduceat(parts.low[order], starts),
        close=parts.close[by_last][ends],
        volume=total(parts.volume),
        quote_volume=total(parts.quote_volume),
        buy_volume=total(parts.buy_volume),
        agg_trades=total(parts.agg_trades),
        trades=total(parts.trades),
    )


def _rows(groups: Sequence[SymbolTrades], window_ms: int, bars: _Parts) -> Iterator[list[Any]]:
    """The columns of the table."""
    codes = bars.code.tolist()
    prices = [groups[code].price_decimals for code in codes]
    quantities = [groups[code].quantity_decimals for code in codes]
    yield [groups[code].symbol for code in codes]
    yield [window_ms] * len(codes)
    yield [instant(time_ms) for time_ms in bars.time.tolist()]
    yield bars.first_id.tolist()
    yield bars.last_id.tolist()
    for values in (bars.open, bars.high, bars.low, bars.close):
        yield _scaled(values, prices)
    yield _scaled(bars.volume, quantities)
    yield _scaled(bars.quote_volume, [sum(pair) for pair in zip(prices, quantities, strict=True)])
    yield _scaled(bars.buy_volume, quantities)
    yield bars.agg_trades.tolist()
    yield bars.trades.tolist()


def _scaled(values: Integers, decimals: Sequence[int]) -> list[Decimal]:
    return [
        Decimal(value).scaleb(-scale, _WIDE) for value, scale in zip(map(int, values.tolist()), decimals, strict=True)
    ]
