"""Binance USD-M REST market data, and the spot price: paths, weights and pools of the venue's documentation."""

import copy
import difflib
from collections.abc import Mapping, Sequence

import aiohttp

from libs.contracts.market import IndicatorKind
from libs.exchanges import (
    MOST_HISTORY_PERIODS,
    AggTrade,
    ClockReading,
    HistorySpan,
    IndicatorValue,
    Instrument,
    Kline,
    Ticker,
)
from libs.exchanges.binance import answers
from libs.exchanges.budget import Pool, Priority
from libs.exchanges.http import HttpClient, Question
from libs.exchanges.limiter import Limiter, Turn
from libs.kit.clock import Clock
from libs.kit.errors import UserError

WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
AGG_TRADES_WEIGHT = 20
SPOT_TRADES_WEIGHT = 4
SPOT_PATIENCE_SECONDS = 2.0
HISTORY_ROWS = 500
FUNDING_ROWS = 1000
# Nobody asks for positions or gaps in the other pools: there schedules leave something to nobody, and the past to schedules.
_SCHEDULES_FIRST = (1.0, 1.0, 1.0, 0.5)
WEIGHT_POOL = Pool("weight", limit=2400, window_ms=60_000, parts=(1.0, 0.9, 0.8, 0.7), reserve=0.2)
# The past of slow inputs is long: it may have what the schedules of 120 symbols leave (five questions each).
DATA_POOL = Pool("data", limit=1000, window_ms=300_000, parts=(1.0, 1.0, 1.0, 0.75))
FUNDING_POOL = Pool("funding", limit=500, window_ms=300_000, parts=_SCHEDULES_FIRST)
SPOT_POOL = Pool("weight", limit=6000, window_ms=60_000, parts=_SCHEDULES_FIRST)
_RATIO_PATHS: dict[IndicatorKind, str] = {
    "global_long_short_account_ratio": "/futures/data/globalLongShortAccountRatio",
    "top_long_short_account_ratio": "/futures/data/topLongShortAccountRatio",
    "top_long_short_position_ratio": "/futures/data/topLongShortPositionRatio",
    "taker_long_short_ratio": "/futures/data/takerlongshortRatio",
}


def kline_weight(limit: int) -> int:
    """Request weight of a klines question by its `limit`."""
    return next((weight for below, weight in ((100, 1), (500, 2), (1001, 5)) if limit < below), 10)


def require_symbols(symbols: Sequence[str], known: Mapping[str, Instrument]) -> dict[str, Instrument]:
    """The named instruments; `UserError` names the first symbol that the venue does not trade, and its nearest matches."""
    for symbol in symbols:
        if symbol not in known:
            near = difflib.get_close_matches(symbol, list(known), n=3, cutoff=0.5)
            raise UserError(
                f"the venue has no symbol {symbol}",
                where="PERPSTREAM_SYMBOLS",
                todo=f"did you mean {' or '.join(near)}?" if near else "take a symbol of the venue's exchangeInfo",
            )
    return {symbol: known[symbol] for symbol in symbols}


class BinanceMarketData:
    """The port's `MarketData` for fapi. The pools are the venue's (weight: 2,400 a minute until it states another limit); the
    clock is the venue's."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, clock: Clock, limiter: Limiter) -> None:
        self._http = HttpClient(session, base_url, clock, limiter, WEIGHT_HEADER)
        self._data_http = HttpClient(session, base_url, clock, limiter)
        self._limiter = limiter
        self._turn = Turn()

    def at(self, priority: Priority, patience_seconds: float | None = None) -> "BinanceMarketData":
        view = copy.copy(self)
        view._turn = Turn(priority, patience_seconds)
        return view

    async def _ask(self, path: str, weight: int, **params: str | int) -> bytes:
        return await self._http.get(Question(path, params, weight, WEIGHT_POOL, self._turn))

    async def _ask_data(self, path: str, **params: str | int) -> bytes:
        return await self._data_http.get(Question(path, params, 1, DATA_POOL, self._turn))

    async def _ask_price(self, weight: int, **params: str) -> bytes:
        """The weight header is documented as inaccurate here."""
        question = Question("/fapi/v2/ticker/price", params, weight, WEIGHT_POOL, self._turn, exact=False)
        return await self._http.get(question)

    async def server_time(self) -> int:
        return (await self.read_clock()).venue_ms

    async def read_clock(self) -> ClockReading:
        answer = await self._http.ask(Question("/fapi/v1/time", {}, 1, WEIGHT_POOL, self._turn))
        venue_ms = answers.parse_server_time(answer.body)
        return ClockReading(venue_ms=venue_ms, asked=answer.asked, answered=answer.answered)

    async def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Also takes over the weight limit that the venue states, so that budgets follow its changes."""
        body = await self._ask("/fapi/v1/exchangeInfo", 1)
        if limit := answers.parse_weight_limit(body):
            await self._limiter.set_limit(WEIGHT_POOL, limit)
        return require_symbols(symbols, answers.parse_instruments(body))

    async def statuses(self) -> dict[str, str]:
        return answers.parse_statuses(await self._ask("/fapi/v1/exchangeInfo", 1))

    async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
        body = await self._ask("/fapi/v1/aggTrades", AGG_TRADES_WEIGHT, symbol=symbol, fromId=agg_id, limit=limit)
        return answers.parse_agg_trades(body, symbol)

    async def agg_trades_between(self, symbol: str, start: int, end: int, limit: int = 1000) -> Sequence[AggTrade]:
        body = await self._ask(
            "/fapi/v1/aggTrades", AGG_TRADES_WEIGHT, symbol=symbol, startTime=start, endTime=end, limit=limit
        )
        return answers.parse_agg_trades(body, symbol)

    async def newest_agg_trades(self, symbol: str, limit: int = 1) -> Sequence[AggTrade]:
        body = await self._ask("/fapi/v1/aggTrades", AGG_TRADES_WEIGHT, symbol=symbol, limit=limit)
        return answers.parse_agg_trades(body, symbol)

    async def klines(self, symbol: str, interval: str, start: int, end: int, limit: int) -> list[Kline]:
        body = await self._ask(
            "/fapi/v1/klines",
            kline_weight(limit),
            symbol=symbol,
            interval=interval,
            startTime=start,
            endTime=end,
            limit=limit,
        )
        return answers.parse_klines(body)

    async def open_interest(self, symbol: str) -> IndicatorValue:
        return answers.parse_open_interest(await self._ask("/fapi/v1/openInterest", 1, symbol=symbol), symbol)

    async def open_interest_history(self, symbol: str, period: str, limit: int) -> list[IndicatorValue]:
        body = await self._ask_data("/futures/data/openInterestHist", symbol=symbol, period=period, limit=limit)
        return answers.parse_open_interest_history(body, symbol, period)

    async def ratio_history(self, symbol: str, kind: IndicatorKind, period: str, limit: int) -> list[IndicatorValue]:
        body = await self._ask_data(_RATIO_PATHS[kind], symbol=symbol, period=period, limit=limit)
        return answers.parse_ratio_history(body, symbol, kind, period)

    async def indicator_history(
        self, symbol: str, kind: IndicatorKind, period: str | None, span: HistorySpan
    ) -> list[IndicatorValue]:
        """Whether a venue's `startTime` and `endTime` bound the stamp or the whole period is documented nowhere, nor which end a
        page is cut at: so a question is never wider than a page, and the rows are chosen here."""
        if period is None:
            found = await self._funding_history(symbol, span)
        else:
            length = answers.PERIOD_MS[period]
            if span.end_ms - span.start_ms > MOST_HISTORY_PERIODS * length:
                raise ValueError(f"a span of more than {MOST_HISTORY_PERIODS} periods of {period}")
            path = _RATIO_PATHS.get(kind, "/futures/data/openInterestHist")
            # Only the taker ratio is stamped at the start of its period.
            start = span.start_ms - (length if kind == "taker_long_short_ratio" else 0)
            asked: dict[str, str | int] = {
                "symbol": symbol,
                "period": period,
                "startTime": start,
                "endTime": span.end_ms,
            }
            body = await self._ask_data(path, **asked, limit=HISTORY_ROWS)
            if kind == "open_interest":
                found = answers.parse_open_interest_history(body, symbol, period)
            else:
                found = answers.parse_ratio_history(body, symbol, kind, period)
        return sorted((item for item in found if span.start_ms < item.time <= span.end_ms), key=lambda item: item.time)

    async def _funding_history(self, symbol: str, span: HistorySpan) -> list[IndicatorValue]:
        asked: dict[str, str | int] = {
            "symbol": symbol,
            "startTime": span.start_ms,
            "endTime": span.end_ms + 999,
            "limit": FUNDING_ROWS,
        }
        question = Question("/fapi/v1/fundingRate", asked, 1, FUNDING_POOL, self._turn)
        return answers.parse_funding_rates(await self._data_http.get(question), symbol)

    async def funding_rates(self, symbol: str, limit: int) -> list[IndicatorValue]:
        question = Question("/fapi/v1/fundingRate", {"symbol": symbol, "limit": limit}, 1, FUNDING_POOL, self._turn)
        return answers.parse_funding_rates(await self._data_http.get(question), symbol)

    async def ticker(self, product: str) -> Ticker:
        """The perpetual's own last price (the premium's fallback when spot does not answer)."""
        return answers.parse_price(await self._ask_price(1, symbol=product), product)

    async def last_prices(self) -> dict[str, Ticker]:
        return answers.parse_prices(await self._ask_price(2))


class BinanceSpot:
    """The port's `SpotTicker` for Binance spot; its request pool is the spot API's own.

    Whoever asks has another price to take, and a late one would be of another time than the premium's other leg: so a question
    that has no turn within `patience_seconds` (real ones) is refused.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        clock: Clock,
        limiter: Limiter,
        patience_seconds: float = SPOT_PATIENCE_SECONDS,
    ) -> None:
        self._http = HttpClient(session, base_url, clock, limiter)
        self._turn = Turn(patience_seconds=patience_seconds)

    async def ticker(self, product: str) -> Ticker:
        """The last aggregate trade: the spot price ticker says no time."""
        question = Question(
            "/api/v3/aggTrades", {"symbol": product, "limit": 1}, SPOT_TRADES_WEIGHT, SPOT_POOL, self._turn
        )
        return answers.parse_last_spot_trade(await self._http.get(question), product)
