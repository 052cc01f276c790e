"""The routes about paper trading: accounts, positions, trades, curves and statistics."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.plausible import LATEST_MS
from libs.kit.durations import DAY_MS, MINUTE_MS
from libs.store.instants import instant, milliseconds
from libs.store.listing import PAPER_TRADES, shown
from libs.store.paper_questions import HeldTrade, ProfitRange, held_paper_trades, paper_accounts_now
from libs.store.paper_statistics import (
    EquityAt,
    EquitySpan,
    PaperStatistics,
    newest_equity,
    paper_equity_of,
    paper_statistics,
)
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, check_span, kept
from services.gateway.models.paper import (
    PaperAccountAnswer,
    PaperCurve,
    PaperPoint,
    PaperPosition,
    PaperPositions,
    PaperStatisticsAnswer,
    PaperStats,
    PaperSummary,
    PaperTradeAnswer,
    PaperTradePage,
    PaperTradeState,
)
from services.gateway.paging import LISTED, Asked, PageQuery, Table, csv_of, send_list, wants_csv
from services.gateway.problems import RESPONSES

DEFAULT_CURVE_MS = 7 * DAY_MS
Strategy = Annotated[Text | None, Query(max_length=80, examples=["v51"])]
Format = Annotated[str | None, Query(pattern="^(json|csv)$")]
_TRADES = Table(PAPER_TRADES, PaperTradeAnswer, PaperTradePage)


@dataclass(frozen=True, slots=True)
class PaperTradeQuery:
    """Filters of paper trades, as asked. The span is of signals' times."""

    strategy: Strategy = None
    symbol: Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])] = None
    state: Annotated[PaperTradeState | None, Query(examples=["closed"])] = None


@dataclass(frozen=True, slots=True)
class HeldQuery:
    """Whose positions, as asked."""

    strategy: Strategy = None
    format: Format = None


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """A strategy and a span of time, as asked."""

    strategy: Strategy = None
    start: Annotated[TimeMs | None, Query(alias="from", description="First instant, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="Instant after the last, ms")] = None
    format: Format = None


router = APIRouter(prefix="/api/paper", responses=RESPONSES, tags=["paper"])


@router.get("/summary", operation_id="getPaperSummary", response_model=PaperSummary)
async def summary(request: Request, shared: Shared) -> Response:
    """Every strategy's account now: balance, unrealised, level, and its day."""

    async def found() -> PaperSummary:
        async with shared.turn() as engine:
            accounts = await paper_accounts_now(engine)
        rows = (PaperAccountAnswer(**shown(asdict(row)), equity=row.balance + row.unrealised) for row in accounts)
        return PaperSummary(accounts=tuple(rows))

    return await kept(request, shared, 1, found)


@router.get("/positions", operation_id="getPaperPositions", response_model=PaperPositions, responses=LISTED)
async def positions(request: Request, shared: Shared, asked: Annotated[HeldQuery, Depends()]) -> Response:
    """What is ordered and open on paper, with distances to stop and target."""

    async def found() -> PaperPositions:
        async with shared.turn() as engine:
            held = await held_paper_trades(engine)
        return PaperPositions(rows=tuple(_position(row) for row in held if asked.strategy in (None, row.strategy)))

    if wants_csv(request, asked.format):
        return csv_of(PaperPosition, (await found()).rows, "paper_positions")
    return await kept(request, shared, 1, found)


@router.get("/trades", operation_id="getPaperTrades", response_model=PaperTradePage, responses=LISTED)
async def trades(
    request: Request,
    shared: Shared,
    asked: Annotated[PaperTradeQuery, Depends()],
    page: Annotated[PageQuery, Depends()],
) -> Response:
    """What became of each signal on paper, newest first; page by `cursor`. The span is of the signals' times."""
    return await send_list(request, shared, _TRADES, Asked(page, asdict(asked)))


@router.get("/equity", operation_id="getPaperEquity", response_model=PaperCurve, responses=LISTED)
async def equity(
    request: Request,
    shared: Shared,
    asked: Annotated[SpanQuery, Depends()],
    points: Annotated[int, Query(ge=2, le=2000, description="At most so many a strategy"), PLAIN] = 500,
) -> Response:
    """The curve of each strategy over the last seven days or the span, in steps of whole minutes."""
    check_span(asked.start, asked.end)

    async def found() -> PaperCurve:
        async with shared.turn() as engine:
            newest = await newest_equity(engine)
            names = tuple(name for name in newest if asked.strategy in (None, name))
            ends = [moment for name in names if (moment := newest[name]) is not None]
            end = asked.end if asked.end is not None else milliseconds(max(ends)) + 1 if ends else 0
            start = asked.start if asked.start is not None else max(0, end - DEFAULT_CURVE_MS)
            check_span(start, end)
            step_ms = max(1, -(-(end - start) // (points * MINUTE_MS))) * MINUTE_MS
            step = dt.timedelta(milliseconds=step_ms)
            rows = await paper_equity_of(engine, EquitySpan(names, instant(start), instant(end), step))
        return PaperCurve(from_ms=start, to_ms=end, step_ms=step_ms, rows=tuple(map(_point, rows)))

    if wants_csv(request, asked.format):
        return csv_of(PaperPoint, (await found()).rows, "paper_equity")
    return await kept(request, shared, 5, found)


@router.get("/stats", operation_id="getPaperStats", response_model=PaperStats, responses=LISTED)
async def stats(request: Request, shared: Shared, asked: Annotated[SpanQuery, Depends()]) -> Response:
    """Figures over the closed trades of each strategy, of all times or of exits in the span."""
    check_span(asked.start, asked.end)
    span = ProfitRange(
        instant(asked.start or 0), instant(LATEST_MS if asked.end is None else asked.end), asked.strategy
    )

    async def found() -> PaperStats:
        async with shared.turn() as engine:
            return PaperStats(rows=tuple(map(_statistics, await paper_statistics(engine, span))))

    if wants_csv(request, asked.format):
        return csv_of(PaperStatisticsAnswer, (await found()).rows, "paper_statistics")
    return await kept(request, shared, 5, found)


def _position(row: HeldTrade) -> PaperPosition:
    target = row.take_profit_2 if row.quantity_left != row.quantity else row.take_profit_1
    return PaperPosition(
        **shown(asdict(row)),
        unrealised_r=row.unrealised_r,
        stop_distance_percent=None if row.stop_now is None else row.distance_percent(row.stop_now),
        target_distance_percent=None if target is None else row.distance_percent(target),
    )


def _point(row: EquityAt) -> PaperPoint:
    return PaperPoint(**shown(asdict(row)))


def _statistics(row: PaperStatistics) -> PaperStatisticsAnswer:
    return PaperStatisticsAnswer(
        **asdict(row),
        win_rate=row.won / row.trades if row.trades else None,
        profit_factor=float(row.gains / row.losses) if row.losses else None,
    )
