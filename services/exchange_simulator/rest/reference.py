"""Ping, time, exchangeInfo, premium index, funding, open interest and prices."""

import asyncio

from services.exchange_simulator.books import book_after
from services.exchange_simulator.klines import opens_before
from services.exchange_simulator.market import Bar, MarkPrice
from services.exchange_simulator.payloads import decimal_text
from services.exchange_simulator.rest.errors import invalid_value
from services.exchange_simulator.rest.exchange_info import exchange_info
from services.exchange_simulator.rest.parameters import Parameters
from services.exchange_simulator.rest.venue import Endpoint, Venue, with_or_without_symbol

_DAY_MINUTES = 1440


async def ping(_venue: Venue, _parameters: Parameters) -> object:
    """GET /fapi/v1/ping."""
    return {}


async def server_time(venue: Venue, _parameters: Parameters) -> object:
    """GET /fapi/v1/time."""
    return {"serverTime": venue.clock.now_ms() + venue.desk.skew_ms}


async def information(venue: Venue, _parameters: Parameters) -> object:
    """GET /fapi/v1/exchangeInfo."""
    return exchange_info(venue.source.rules, venue.clock.now_ms(), venue.limits.weight_limit)


def _premium(mark: MarkPrice, now_ms: int) -> dict[str, object]:
    return {
        "symbol": mark.symbol,
        "markPrice": mark.mark,
        "indexPrice": mark.index,
        "estimatedSettlePrice": mark.settle,
        "lastFundingRate": mark.rate,
        "interestRate": "0.00010000",
        "nextFundingTime": mark.next_funding_ms,
        "time": now_ms,
    }


async def premium_index(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/premiumIndex: one object, or all symbols."""
    symbol, now = parameters.optional_symbol(venue.source.symbols), venue.clock.now_ms()
    if symbol is not None:
        return _premium(venue.source.mark_price(symbol, now), now)
    return [_premium(venue.source.mark_price(name, now), now) for name in venue.source.symbols]


async def funding_rate(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/fundingRate, ascending; without times the most recent ones."""
    symbol = parameters.optional_symbol(venue.source.symbols)
    limit, (start, end) = parameters.limit(100, 1000), parameters.span()
    now = venue.clock.now_ms()
    rows = []
    for name in (symbol,) if symbol else venue.source.symbols:
        found = venue.source.fundings(name, start or 0, end if end is not None else now, now)
        rows += found[:limit] if start is not None else found[-limit:]
    rows.sort(key=lambda row: row.time_ms)
    rows = rows[:limit] if start is not None else rows[-limit:]
    return [
        {
            "symbol": row.symbol,
            "fundingRate": row.rate,
            "fundingTime": row.time_ms,
            "markPrice": row.mark,
            "rateType": "Regular",
        }
        for row in rows
    ]


async def funding_info(venue: Venue, _parameters: Parameters) -> object:
    """GET /fapi/v1/fundingInfo: only symbols whose cap, floor or interval were adjusted."""
    return [
        {
            "symbol": symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": 8,
            "disclaimer": False,
        }
        for symbol in venue.source.symbols
        if symbol == "SOLUSDT"
    ]


async def open_interest(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/openInterest; a recording that holds none refuses (-1130) rather than invent a number."""
    symbol, now = parameters.symbol(venue.source.symbols), venue.clock.now_ms()
    # The exchange refreshes it every few seconds.
    facts = venue.source.positioning(symbol, now // 3000 * 3000)
    if facts is None:
        raise invalid_value("symbol")
    decimals = venue.source.rules[symbol].quantity_decimals
    return {"symbol": symbol, "openInterest": f"{facts.open_interest:.{decimals}f}", "time": facts.time_ms}


def _last_price(venue: Venue, symbol: str, now: int) -> dict[str, object]:
    trades = venue.source.newest_trades(symbol, 1, now)
    rules = venue.source.rules[symbol]
    price = decimal_text(int(trades.prices[-1]), rules.price_decimals) if len(trades) else "0"
    return {"symbol": symbol, "price": price, "time": int(trades.trade_ms[-1]) if len(trades) else now}


async def ticker_price(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1|v2/ticker/price."""
    symbol, now = parameters.optional_symbol(venue.source.symbols), venue.clock.now_ms()
    if symbol is not None:
        return _last_price(venue, symbol, now)
    return [_last_price(venue, name, now) for name in venue.source.symbols]


def _book(venue: Venue, symbol: str, now: int) -> dict[str, object]:
    book = book_after(venue.source.newest_trades(symbol, 1, now), venue.source.rules[symbol])
    return {
        "symbol": symbol,
        "bidPrice": book.bid,
        "bidQty": book.bid_quantity,
        "askPrice": book.ask,
        "askQty": book.ask_quantity,
        "time": book.time_ms,
        "lastUpdateId": book.update_id,
    }


async def book_ticker(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/ticker/bookTicker; a symbol that has not traded yet has no row."""
    symbol, now = parameters.optional_symbol(venue.source.symbols), venue.clock.now_ms()
    if symbol is not None and not len(venue.source.newest_trades(symbol, 1, now)):
        raise invalid_value("symbol")
    if symbol is not None:
        return _book(venue, symbol, now)
    traded = [name for name in venue.source.symbols if len(venue.source.newest_trades(name, 1, now))]
    return [_book(venue, name, now) for name in traded]


async def day_ticker(venue: Venue, parameters: Parameters) -> object:
    """GET /fapi/v1/ticker/24hr: the last 1440 minutes."""
    symbol, now = parameters.optional_symbol(venue.source.symbols), venue.clock.now_ms()
    names = (symbol,) if symbol else venue.source.symbols
    rows = []
    for name in names:
        opens = [o for o in opens_before(now, "1m", _DAY_MINUTES) if o >= venue.source.first_ms(name) - 60_000]
        bars = await asyncio.to_thread(venue.source.bars, name, "1m", opens, now)
        if bars:
            rows.append(_day_row(venue, name, bars, now))
    return rows[0] if symbol and rows else rows


def _day_row(venue: Venue, symbol: str, bars: list[Bar], now: int) -> dict[str, object]:
    rules = venue.source.rules[symbol]
    price, quantity = rules.price_decimals, rules.quantity_decimals
    first, last = bars[0].open, bars[-1].close
    volume, quote = sum(bar.volume for bar in bars), sum(bar.quote for bar in bars)
    newest = venue.source.newest_trades(symbol, 1, now)
    return {
        "symbol": symbol,
        "priceChange": decimal_text(last - first, price),
        "priceChangePercent": f"{(last - first) / first * 100:.3f}",
        "weightedAvgPrice": decimal_text(quote // max(1, volume), price),
        "lastPrice": decimal_text(last, price),
        "lastQty": decimal_text(int(newest.quantities[-1]), quantity) if len(newest) else "0",
        "openPrice": decimal_text(first, price),
        "highPrice": decimal_text(max(bar.high for bar in bars), price),
        "lowPrice": decimal_text(min(bar.low for bar in bars), price),
        "volume": decimal_text(volume, quantity),
        "quoteVolume": decimal_text(quote, price + quantity),
        "openTime": bars[0].open_ms,
        "closeTime": now,
        "firstId": next((bar.first_id for bar in bars if bar.count), -1),
        "lastId": next((bar.last_id for bar in reversed(bars) if bar.count), -1),
        "count": sum(bar.count for bar in bars),
    }


async def spot_price(venue: Venue, parameters: Parameters) -> object:
    """GET /api/v3/ticker/price: Binance spot, the other leg of the Coinbase premium."""
    symbol, now = parameters.optional_symbol(venue.source.symbols), venue.clock.now_ms()
    names = (symbol,) if symbol else venue.source.symbols
    rows = [{"symbol": name, "price": venue.source.spot_price(name, now)} for name in names]
    return rows[0] if symbol else rows


async def spot_trades(venue: Venue, parameters: Parameters) -> object:
    """GET /api/v3/aggTrades: the newest spot trades. Spot trades whenever the perpetual does, at its own price; ids and times are
    shared. Older ones cannot be asked for."""
    symbol, now = parameters.symbol(venue.source.symbols), venue.clock.now_ms()
    rules = venue.source.rules[symbol]
    trades = venue.source.newest_trades(symbol, parameters.limit(500, 1000), now)
    return [
        {
            "a": int(trades.ids[row]),
            "p": venue.source.spot_price(symbol, int(trades.trade_ms[row])),
            "q": decimal_text(int(trades.quantities[row]), rules.quantity_decimals),
            "f": int(trades.first_ids[row]),
            "l": int(trades.last_ids[row]),
            "T": int(trades.trade_ms[row]),
            "m": bool(trades.maker[row]),
            "M": True,
        }
        for row in range(len(trades))
    ]


ENDPOINTS = (
    Endpoint("/fapi/v1/ping", ping),
    Endpoint("/fapi/v1/time", server_time),
    Endpoint("/fapi/v1/exchangeInfo", information),
    Endpoint("/fapi/v1/premiumIndex", premium_index, with_or_without_symbol(1, 10)),
    Endpoint("/fapi/v1/fundingRate", funding_rate, 0, "funding"),
    Endpoint("/fapi/v1/fundingInfo", funding_info, 0, "funding"),
    Endpoint("/fapi/v1/openInterest", open_interest),
    Endpoint("/fapi/v1/ticker/price", ticker_price, with_or_without_symbol(1, 2)),
    Endpoint("/fapi/v2/ticker/price", ticker_price, with_or_without_symbol(1, 2)),
    Endpoint("/fapi/v1/ticker/bookTicker", book_ticker, with_or_without_symbol(2, 5)),
    Endpoint("/fapi/v1/ticker/24hr", day_ticker, with_or_without_symbol(1, 40)),
    Endpoint("/api/v3/ping", ping),
    Endpoint("/api/v3/time", server_time),
    Endpoint("/api/v3/aggTrades", spot_trades, 4),
    Endpoint("/api/v3/ticker/price", spot_price, with_or_without_symbol(2, 4)),
)
