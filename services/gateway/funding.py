"""The routes about settled funding: the last seven days, the year so far, and every rate."""

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from libs.kit.durations import DAY_MS
from libs.store.funding import FundingSpan, FundingSums, funding_history, funding_sums
from libs.store.instants import EPOCH, instant, milliseconds
from services.gateway.asking import Shared, Text, TimeMs, check_span, check_symbol, kept
from services.gateway.models.funding import FundingHistory, FundingOfSymbol, FundingStats, SettlementAnswer
from services.gateway.paging import LISTED, csv_of, wants_csv
from services.gateway.problems import RESPONSES, BadRequest
from services.gateway.shared import Gateway

WEEK_MS = 7 * DAY_MS
LONGEST_MS = 400 * DAY_MS
STATS_CACHE_SECONDS, YEAR_CACHE_SECONDS, HISTORY_CACHE_SECONDS = 60, 3600, 60
# While rates are missing, or nobody knows yet which year the market is in.
INCOMPLETE_CACHE_SECONDS = 5
router = APIRouter(prefix="/api", responses=RESPONSES, tags=["funding"])
SymbolQuery = Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"], description="Default: all followed")]


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which settlements, as asked."""

    symbol: SymbolQuery = None
    start: Annotated[TimeMs | None, Query(alias="from", description="First instant, ms; default: 7 days back")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="Instant after the last, ms; default: now")] = None
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


@router.get("/stats", operation_id="getStats", response_model=FundingStats)
async def stats(request: Request, shared: Shared, symbol: SymbolQuery = None) -> Response:
    """Funding of the last seven days by symbol."""
    return await kept(
        request, shared, STATS_CACHE_SECONDS, lambda: _sums(shared, symbol, shared.market_now_ms() - WEEK_MS)
    )


@router.get("/stats/ytd", operation_id="getStatsYearToDate", response_model=FundingStats)
async def stats_of_the_year(request: Request, shared: Shared, symbol: SymbolQuery = None) -> Response:
    """Funding since the first of January (UTC) by symbol, annualised."""
    year, certain = instant(shared.market_now_ms()).year, bool(shared.live.newest)
    start_ms = milliseconds(dt.datetime(year, 1, 1, tzinfo=EPOCH.tzinfo))

    def lasts(answer: BaseModel) -> int:
        whole = certain and isinstance(answer, FundingStats) and not answer.missing
        return YEAR_CACHE_SECONDS if whole else INCOMPLETE_CACHE_SECONDS

    return await kept(request, shared, lasts, lambda: _sums(shared, symbol, start_ms))


@router.get("/history", operation_id="getHistory", response_model=FundingHistory, responses=LISTED)
async def history(request: Request, shared: Shared, asked: Annotated[HistoryQuery, Depends()]) -> Response:
    """Every settled rate of the last seven days, or of the span, oldest first."""
    check_span(asked.start, asked.end)

    async def found() -> FundingHistory:
        end = asked.end if asked.end is not None else shared.market_now_ms() + 1
        start = asked.start if asked.start is not None else max(0, end - WEEK_MS)
        if end - start > LONGEST_MS:
            raise BadRequest("from and to span more than 400 days: ask for less")
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
            rows = await funding_history(session, FundingSpan(_symbols(shared, asked.symbol), start, end))
        settled = (SettlementAnswer(symbol=row.symbol, time_ms=row.time_ms, rate=row.rate) for row in rows)
        return FundingHistory(from_ms=start, to_ms=end, rows=tuple(settled))

    if wants_csv(request, asked.format):
        return csv_of(SettlementAnswer, (await found()).rows, "funding")
    return await kept(request, shared, HISTORY_CACHE_SECONDS, found)


async def _sums(shared: Gateway, symbol: str | None, start_ms: int) -> FundingStats:
    now_ms, symbols = shared.market_now_ms() + 1, _symbols(shared, symbol)
    async with shared.question() as session:
        await check_symbol(shared, session, symbol)
        found = await funding_sums(session, FundingSpan(symbols, max(0, start_ms), now_ms))
    missing = sorted(set(symbols) - {row.symbol for row in found})
    rows = tuple(map(_of_symbol, found))
    return FundingStats(from_ms=max(0, start_ms), to_ms=now_ms, symbols=rows, missing=tuple(missing))


def _of_symbol(row: FundingSums) -> FundingOfSymbol:
    names = ("symbol", "settlements", "total", "mean", "lowest", "highest", "positive", "latest", "annualised")
    values = {name: getattr(row, name) for name in names}
    return FundingOfSymbol(**values, first_time_ms=row.first_ms, last_time_ms=row.last_ms)


def _symbols(shared: Gateway, symbol: str | None) -> tuple[str, ...]:
    return shared.symbols if symbol is None else (symbol,)
