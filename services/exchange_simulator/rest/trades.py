"""aggTrades and klines."""

import asyncio

from services.exchange_simulator.klines import INTERVALS, bar_open, opens_before, opens_between
from services.exchange_simulator.market import Bar, TradeColumns
from services.exchange_simulator.payloads import decimal_text, kline_row
from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.rest.parameters import Parameters
from services.exchange_simulator.rest.venue import AGG_TRADES, Endpoint, Venue
from services.exchange_simulator.symbols import SymbolRules

_HOUR_MS = 3_600_000
_MINUTE_MS = 60_000


def trade_rows(trades: TradeColumns, rules: SymbolRules) -> list[dict[str, object]]:
    """Wire objects of aggregate trades, equal to what the stream said of them."""
    price, quantity = rules.price_decimals, rules.quantity_decimals
    rows: list[dict[str, object]] = []
    for a, p, q, nq, f, last, t, _, m in zip(*(column.tolist() for column in trades.columns()), strict=True):
        row = {"a": a, "p": decimal_text(p, price), "q": decimal_text(q, quantity)}
        if nq >= 0:
            row["nq"] = decimal_text(nq, quantity)
        rows.append(row | {"f": f, "l": last, "T": t, "m": m})
    return rows


async def agg_trades(venue: Venue, parameters: Parameters) -> object:
    """By id, by time range of less than an hour, or the newest; never older than the history limit."""
    symbol = parameters.symbol(venue.source.symbols)
    limit = parameters.limit(500, 1000)
    from_id, (start, end) = parameters.integer("fromId"), parameters.span()
    now = venue.clock.now_ms()
    oldest = max(now - venue.history_ms, venue.source.first_ms(symbol))
    if from_id is not None:
        if start is not None or end is not None:
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        trades = await asyncio.to_thread(venue.source.trades_from_id, symbol, from_id, limit, now)
        # Ids before all history start at the oldest trade there is; ids that have left the window are refused.
        if len(trades) and int(trades.trade_ms[0]) < oldest:
            raise _too_old(venue, symbol, parameters)
    elif start is None and end is None:
        trades = await asyncio.to_thread(venue.source.newest_trades, symbol, limit, now)
    else:
        trades = await _by_time(venue, symbol, parameters, limit)
    return trade_rows(trades, venue.source.rules[symbol])


async def _by_time(venue: Venue, symbol: str, parameters: Parameters, limit: int) -> TradeColumns:
    start, end = parameters.span()
    now = venue.clock.now_ms()
    oldest = max(now - venue.history_ms, venue.source.first_ms(symbol))
    if start is not None and end is not None and end - start >= _HOUR_MS:
        raise VenueError(-1127, "More than 1 hours between startTime and endTime.")
    if (end if end is not None else start or 0) < oldest - 1:
        raise _too_old(venue, symbol, parameters)
    if start is None and end is not None:
        # Only an end: an hour before it, the newest of which are answered.
        trades = await asyncio.to_thread(venue.source.trades_between, symbol, max(oldest, end - _HOUR_MS), end, now)
        return trades.slice(max(0, len(trades) - limit), len(trades))
    begin = max(start or 0, oldest)
    stop = min(now, end if end is not None else begin + _HOUR_MS)
    parts: list[TradeColumns] = []
    while begin <= stop and sum(len(part) for part in parts) < limit:
        until = min(stop, begin // _MINUTE_MS * _MINUTE_MS + _MINUTE_MS - 1)
        parts.append(await asyncio.to_thread(venue.source.trades_between, symbol, begin, until, now))
        begin = until + 1
    return TradeColumns.concatenate([part for part in parts if len(part)]).slice(0, limit)


def _too_old(venue: Venue, symbol: str, parameters: Parameters) -> VenueError:
    start, end = parameters.span()
    venue.refuse_expired(symbol, {"fromId": parameters.integer("fromId"), "startTime": start, "endTime": end})
    return VenueError(-4166, f"Search window is restricted to recent {venue.history_ms // _HOUR_MS} hours only.")


async def bars_asked(venue: Venue, symbol: str, interval: str, parameters: Parameters, limit: int) -> list[Bar]:
    """Klines by startTime/endTime/limit, never later than now; nothing past the last one."""
    now = venue.clock.now_ms()
    start, end = parameters.span()
    last = min(now, end if end is not None else now)
    oldest = bar_open(venue.source.first_ms(symbol), interval)
    if start is not None:
        opens = opens_between(max(start, oldest), last, interval, limit)
    else:
        opens = [open_ms for open_ms in opens_before(last, interval, limit) if open_ms >= oldest]
    return await asyncio.to_thread(venue.source.bars, symbol, interval, opens, now)


async def klines(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/klines."""
    symbol = parameters.symbol(venue.source.symbols)
    interval = parameters.text("interval")
    if interval is None:
        raise VenueError(-1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.")
    if interval not in INTERVALS:
        raise VenueError(-1120, "Invalid interval.")
    bars = await bars_asked(venue, symbol, interval, parameters, parameters.limit(500, 1500))
    return [kline_row(bar, venue.source.rules[symbol]) for bar in bars]


def kline_weight(parameters: Parameters) -> int:
    """1, 2, 5 or 10 by the number of rows asked."""
    limit = parameters.limit(500, 1500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


ENDPOINTS = (
    Endpoint(AGG_TRADES, agg_trades, 20),
    Endpoint("/fapi/v1/klines", klines, kline_weight),
)
