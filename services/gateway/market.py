"""The routes about the market beside its trades: mark prices, features, slow inputs and forced orders."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.plausible import LATEST_MS
from libs.store.liquidations import LiquidationSpan, liquidated
from libs.store.listing import FEATURES, FORCED_ORDERS, SLOW_INPUTS, SNAPSHOTS
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, check_span, check_symbol, kept
from services.gateway.models.base import INTERVALS, LiquidationLength
from services.gateway.models.market import (
    FeatureAnswer,
    FeaturePage,
    ForcedOrderAnswer,
    ForcedOrderPage,
    Liquidations,
    LiquidationWindow,
    SlowInputAnswer,
    SlowInputPage,
    SnapshotAnswer,
    SnapshotPage,
)
from services.gateway.paging import LISTED, Asked, PageQuery, Table, csv_of, send_list, wants_csv
from services.gateway.problems import RESPONSES
from services.gateway.trades import MOST_CANDLES

Symbol = Annotated[Text, Query(min_length=1, max_length=40, examples=["BTCUSDT"])]
Page = Annotated[PageQuery, Depends()]
_SNAPSHOTS = Table(SNAPSHOTS, SnapshotAnswer, SnapshotPage)
_FEATURES = Table(FEATURES, FeatureAnswer, FeaturePage)
_SLOW_INPUTS = Table(SLOW_INPUTS, SlowInputAnswer, SlowInputPage)
_FORCED_ORDERS = Table(FORCED_ORDERS, ForcedOrderAnswer, ForcedOrderPage)


@dataclass(frozen=True, slots=True)
class LiquidationQuery:
    """Symbol, window and time span of a question about liquidations, as asked."""

    symbol: Symbol
    window: Annotated[LiquidationLength, Query(examples=["5m"])] = "5m"
    start: Annotated[TimeMs | None, Query(alias="from", description="First start of a window, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="After the last start of a window, ms")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES, description="The newest so many"), PLAIN] = 200
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


router = APIRouter(prefix="/api", responses=RESPONSES, tags=["market"])


@router.get("/snapshots", operation_id="getSnapshots", response_model=SnapshotPage, responses=LISTED)
async def snapshots(request: Request, shared: Shared, symbol: Symbol, page: Page) -> Response:
    """Mark and index prices every two seconds with the running funding estimate, newest first; page by `cursor`."""
    return await send_list(request, shared, _SNAPSHOTS, Asked(page, {"symbol": symbol}))


@router.get("/indicators", operation_id="getIndicators", response_model=FeaturePage, responses=LISTED)
async def indicators(request: Request, shared: Shared, symbol: Symbol, page: Page) -> Response:
    """What the signal engine calculated at each evaluation: windows, ATR, slow inputs and scores, newest first."""
    return await send_list(request, shared, _FEATURES, Asked(page, {"symbol": symbol}))


@router.get("/market-indicators", operation_id="getMarketIndicators", response_model=SlowInputPage, responses=LISTED)
async def market_indicators(
    request: Request,
    shared: Shared,
    symbol: Symbol,
    page: Page,
    kind: Annotated[Text | None, Query(max_length=80, examples=["open_interest"])] = None,
) -> Response:
    """Slow inputs as they were observed, newest first; page by `cursor`."""
    return await send_list(request, shared, _SLOW_INPUTS, Asked(page, {"symbol": symbol, "kind": kind}))


@router.get("/liquidations/raw", operation_id="getLiquidationsRaw", response_model=ForcedOrderPage, responses=LISTED)
async def forced_orders(
    request: Request,
    shared: Shared,
    symbol: Symbol,
    page: Page,
    side: Annotated[Literal["BUY", "SELL"] | None, Query(description="SELL: a long was liquidated")] = None,
) -> Response:
    """Forced orders one by one, newest first; page by `cursor`. A lower bound: the venue tells a sample."""
    return await send_list(request, shared, _FORCED_ORDERS, Asked(page, {"symbol": symbol, "side": side}))


@router.get("/liquidations", operation_id="getLiquidations", response_model=Liquidations, responses=LISTED)
async def liquidations(request: Request, shared: Shared, asked: Annotated[LiquidationQuery, Depends()]) -> Response:
    """Forced orders by window of one or five minutes or an hour, long and short. Lower bounds: the venue tells a sample."""
    check_span(asked.start, asked.end)
    span = LiquidationSpan(
        asked.symbol,
        INTERVALS[asked.window],
        asked.limit,
        asked.start or 0,
        LATEST_MS if asked.end is None else asked.end,
    )

    async def found() -> Liquidations:
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
            rows = await liquidated(session, span)
        windows = (LiquidationWindow(**{name: getattr(row, name) for name in row.__slots__}) for row in rows)
        return Liquidations(symbol=asked.symbol, window=asked.window, windows=tuple(windows))

    if wants_csv(request, asked.format):
        return csv_of(LiquidationWindow, (await found()).windows, "liquidations")
    return await kept(request, shared, 1, found)
