"""The route about profit: closed trades of an account or on paper, by day, week, month, strategy, symbol or exit reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.plausible import LATEST_MS
from libs.store.instants import instant
from libs.store.live_profit import LiveProfit, live_profit
from libs.store.paper_questions import Profit as PaperProfit
from libs.store.paper_questions import ProfitRange, paper_profit
from services.gateway.asking import Shared, Text, TimeMs, check_span, kept
from services.gateway.live_accounts import AccountQuery, known_account
from services.gateway.models.profit import Books, Profit, ProfitRow, Side
from services.gateway.paging import LISTED, csv_of, wants_csv
from services.gateway.problems import RESPONSES

router = APIRouter(prefix="/api", responses=RESPONSES, tags=["profit"])


@dataclass(frozen=True, slots=True)
class ProfitQuery:
    """Which trades, added up by what, as asked."""

    by: Annotated[Side, Query()] = "day"
    books: Annotated[Books, Query(description="Of an account, or on paper")] = "live"
    account: AccountQuery = None
    strategy: Annotated[Text | None, Query(max_length=80, examples=["v51"])] = None
    start: Annotated[TimeMs | None, Query(alias="from", description="First exit, ms; default: of all")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="After the last exit, ms; default: of all")] = None
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


@router.get("/profit", operation_id="getProfit", response_model=Profit, responses=LISTED)
async def profit(request: Request, shared: Shared, asked: Annotated[ProfitQuery, Depends()]) -> Response:
    """What closed trades made, by one of their sides; days, weeks and months are UTC, of exits."""
    check_span(asked.start, asked.end)
    span = ProfitRange(
        instant(asked.start or 0), instant(LATEST_MS if asked.end is None else asked.end), asked.strategy
    )

    async def found() -> Profit:
        account = await known_account(shared, asked.account) if asked.books == "live" else None
        async with shared.turn() as engine:
            if account is None:
                rows = [_paper(row) for row in await paper_profit(engine, asked.by, span)]
            else:
                rows = [_live(row) for row in await live_profit(engine, account, asked.by, span)]
        total = _total(rows, on_paper=account is None)
        return Profit(by=asked.by, books=asked.books, account=account, rows=tuple(rows), total=total)

    if wants_csv(request, asked.format):
        return csv_of(ProfitRow, (await found()).rows, "profit")
    return await kept(request, shared, 5, found)


def _paper(row: PaperProfit) -> ProfitRow:
    return ProfitRow(
        name=row.name or "unknown",
        trades=row.trades,
        won=row.won,
        net=row.net,
        gross=row.gross,
        fees=row.fees,
        slippage=row.slippage,
        funding=row.funding,
        net_r=row.net_r,
        slippage_bps=None,
        fees_unvalued=0,
    )


def _live(row: LiveProfit) -> ProfitRow:
    return ProfitRow(
        name=row.name,
        trades=row.trades,
        won=row.won,
        net=row.net,
        gross=row.gross,
        fees=row.fees,
        slippage=None,
        funding=row.funding,
        net_r=row.net_r,
        slippage_bps=row.slippage_bps,
        fees_unvalued=row.fees_unvalued,
    )


def _total(rows: Sequence[ProfitRow], *, on_paper: bool) -> ProfitRow:
    def added(name: str) -> Decimal:
        return sum((getattr(row, name) or Decimal(0) for row in rows), Decimal(0))

    return ProfitRow(
        name="all",
        trades=sum(row.trades for row in rows),
        won=sum(row.won for row in rows),
        net=added("net"),
        gross=added("gross"),
        fees=added("fees"),
        slippage=added("slippage") if on_paper else None,
        funding=added("funding"),
        net_r=sum(row.net_r or 0.0 for row in rows),
        slippage_bps=None,
        fees_unvalued=sum(row.fees_unvalued for row in rows),
    )
