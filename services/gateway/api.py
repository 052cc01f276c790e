"""The routes. Each one validates, asks one question of `libs.store` (or the memory of live rates) and answers a model."""

import time
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from libs.contracts.plausible import LATEST_MS
from libs.kit.errors import UnreachableError, UserError
from libs.kit.service import VERSION
from libs.store import queries
from libs.store.liquidations import LiquidationSpan, liquidated
from services.gateway import feeds
from services.gateway.asking import (
    PLAIN,
    Shared,
    Text,
    TimeMs,
    answer,
    check_span,
    check_symbol,
    cursor_at,
    read_cursor,
)
from services.gateway.models import (
    INTERVALS,
    CandleAnswer,
    Candles,
    Component,
    Health,
    Interval,
    LiquidationLength,
    Liquidations,
    LiquidationWindow,
    RateAnswer,
    Rates,
    SignalAnswer,
    SignalPage,
    SummaryRow,
    TradesMeta,
    TradesOfSymbol,
    TradesSummary,
)
from services.gateway.problems import RESPONSES, BadRequest, describe, install
from services.gateway.shared import Gateway

RATES_SYMBOLS = 4
RATES_CACHE_SECONDS = 3.0
MOST_CANDLES = 1500
_VWAP = Context(prec=12)


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """Symbol, interval and time span of a candle question, as asked."""

    symbol: Annotated[Text, Query(min_length=1, max_length=40, examples=["BTCUSDT"])]
    interval: Annotated[Interval, Query(examples=["1m"])] = "1m"
    start: Annotated[
        TimeMs | None, Query(alias="from", description="First instant, ms; default: limit intervals back")
    ] = None
    end: Annotated[
        TimeMs | None, Query(alias="to", description="Instant after the last, ms; default: newest trade")
    ] = None
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES), PLAIN] = 200


@dataclass(frozen=True, slots=True)
class LiquidationQuery:
    """Symbol, window and time span of a question about liquidations, as asked."""

    symbol: Annotated[Text, Query(min_length=1, max_length=40, examples=["BTCUSDT"])]
    window: Annotated[LiquidationLength, Query(examples=["5m"])] = "5m"
    start: Annotated[TimeMs | None, Query(alias="from", description="First start of a window, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="After the last start of a window, ms")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES, description="The newest so many"), PLAIN] = 200


@dataclass(frozen=True, slots=True)
class SignalQuery:
    """Filters of the signal history, as asked."""

    symbol: Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])] = None
    strategy: Annotated[Text | None, Query(max_length=80, examples=["v51"])] = None
    state: Annotated[str | None, Query(pattern="^(emitted|refused)$", examples=["emitted"])] = None
    start: Annotated[TimeMs | None, Query(alias="from")] = None
    end: Annotated[TimeMs | None, Query(alias="to")] = None
    limit: Annotated[int, Query(ge=1, le=500), PLAIN] = 100
    cursor: Annotated[str | None, Query(max_length=200, description="next_cursor of the page before")] = None


router = APIRouter(prefix="/api", responses=RESPONSES)


@router.get("/health", operation_id="getHealth", response_model=Health, tags=["health"])
async def health(shared: Shared) -> Response:
    """Whether database and live feed answer. Always 200; `status` says how it stands."""
    try:
        database = Component(ok=True, detail=f"PostgreSQL {await shared.database_version()}")
    except UserError as error:
        database = Component(ok=False, detail=error.advice.what)
    seen = sum(symbol in shared.live.newest for symbol in shared.symbols)
    detail = f"{seen} of {len(shared.symbols)} followed symbols seen on the topic"
    live = Component(ok=shared.live.following, detail=detail)
    components = {"database": database, "live_rates": live}
    body = Health(status="ok" if database.ok and live.ok else "degraded", version=VERSION, components=components)
    return JSONResponse(body.model_dump(mode="json"), headers={"Cache-Control": "no-store"})


@router.get("/rates", operation_id="getRates", response_model=Rates, tags=["market"])
async def rates(request: Request, shared: Shared) -> Response:
    """Mark and index price, funding estimate and next funding time of the first four followed symbols; at most 3 s old."""
    if shared.cached_rates is None or time.monotonic() >= shared.cached_until:
        shared.cached_rates = await _newest_rates(shared, shared.symbols[:RATES_SYMBOLS])
        shared.cached_until = time.monotonic() + RATES_CACHE_SECONDS
    return answer(request, shared.cached_rates, int(RATES_CACHE_SECONDS))


async def _newest_rates(shared: Gateway, symbols: tuple[str, ...]) -> Rates:
    found: dict[str, RateAnswer] = {}
    for symbol in symbols:
        if (seen := shared.live.newest.get(symbol)) is not None:
            found[symbol] = RateAnswer(
                symbol=symbol,
                mark_price=seen.mark_price,
                index_price=seen.index_price,
                funding_rate=seen.funding_rate,
                next_funding_time_ms=seen.next_funding_time_ms,
                event_time_ms=seen.event_time_ms,
                source="live",
            )
    if unseen := [symbol for symbol in symbols if symbol not in found]:
        for symbol, rate in (await _stored_rates(shared, unseen, needed=not found)).items():
            found[symbol] = RateAnswer(**{name: getattr(rate, name) for name in rate.__slots__}, source="stored")
    return Rates(
        rates=tuple(found[symbol] for symbol in symbols if symbol in found),
        missing=tuple(symbol for symbol in symbols if symbol not in found),
    )


async def _stored_rates(shared: Gateway, symbols: list[str], *, needed: bool) -> dict[str, queries.Rate]:
    """The newest stored rates. A database that is away matters only when nothing else can be answered."""
    try:
        async with shared.question() as session:
            return await queries.latest_rates(session, symbols, shared.live.latest_believable_ms())
    except UnreachableError:
        if needed:
            raise
        return {}


@router.get("/trades/meta", operation_id="getTradesMeta", response_model=TradesMeta, tags=["trades"])
async def trades_meta(request: Request, shared: Shared) -> Response:
    """What the database holds of each symbol's aggregate trades, and what is missing."""
    async with shared.question() as session:
        held = await queries.trades_held(session)
    rows = (TradesOfSymbol(**{name: getattr(row, name) for name in row.__slots__}) for row in held)
    return answer(request, TradesMeta(symbols=tuple(rows)), 1)


@router.get("/trades/summary", operation_id="getTradesSummary", response_model=TradesSummary, tags=["trades"])
async def trades_summary(request: Request, shared: Shared, asked: Annotated[SpanQuery, Depends()]) -> Response:
    """Open, high, low, close, volume, taker flows and VWAP per interval, from aggregate trades."""
    found = await _candles(shared, asked)
    rows = (
        SummaryRow(
            **_candle_fields(row),
            quote_volume=row.quote_volume,
            buy_volume=row.buy_volume,
            sell_volume=row.volume - row.buy_volume,
            vwap=_vwap(row),
            agg_trades=row.agg_trades,
            trades=row.trades,
        )
        for row in found
    )
    return answer(request, TradesSummary(symbol=asked.symbol, interval=asked.interval, rows=tuple(rows)), 1)


@router.get("/kline", operation_id="getKline", response_model=Candles, tags=["trades"])
async def kline(request: Request, shared: Shared, asked: Annotated[SpanQuery, Depends()]) -> Response:
    """Candles of one second to one day, from aggregate trades."""
    found = await _candles(shared, asked)
    rows = tuple(CandleAnswer(**_candle_fields(row)) for row in found)
    return answer(request, Candles(symbol=asked.symbol, interval=asked.interval, candles=rows), 1)


def _candle_fields(row: queries.Candle) -> dict[str, Any]:
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return {name: getattr(row, name) for name in names}


def _vwap(row: queries.Candle) -> Decimal:
    return _VWAP.divide(row.quote_volume, row.volume) if row.volume else row.close


async def _candles(shared: Gateway, asked: SpanQuery) -> list[queries.Candle]:
    interval_ms = INTERVALS[asked.interval]
    async with shared.question() as session:
        newest = await queries.last_trade_time(session, asked.symbol)
        if newest is None and asked.symbol not in shared.symbols:
            known = {*shared.symbols, *(row.symbol for row in await queries.trades_held(session))}
            raise BadRequest(f"{asked.symbol} is unknown here; known symbols: {', '.join(sorted(known))}")
        if newest is None:
            return []
        end = asked.end if asked.end is not None else newest + 1
        last_open = (end - 1) // interval_ms * interval_ms
        start = asked.start if asked.start is not None else max(0, last_open - (asked.limit - 1) * interval_ms)
        check_span(start, end)
        if (end - start) // interval_ms > MOST_CANDLES:
            raise BadRequest(
                f"from and to span more than {MOST_CANDLES} intervals of {asked.interval}: ask for less, or longer intervals"
            )
        return await queries.candles(session, queries.CandleSpan(asked.symbol, interval_ms, start, end, asked.limit))


@router.get("/liquidations", operation_id="getLiquidations", response_model=Liquidations, tags=["market"])
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
    async with shared.question() as session:
        await check_symbol(shared, session, asked.symbol)
        found = await liquidated(session, span)
    rows = (LiquidationWindow(**{name: getattr(row, name) for name in row.__slots__}) for row in found)
    return answer(request, Liquidations(symbol=asked.symbol, window=asked.window, windows=tuple(rows)), 1)


@router.get("/signals/history", operation_id="getSignalsHistory", response_model=SignalPage, tags=["signals"])
async def signals_history(request: Request, shared: Shared, asked: Annotated[SignalQuery, Depends()]) -> Response:
    """Scored evaluations, newest first, by symbol, strategy, state and time; page by `cursor`."""
    check_span(asked.start, asked.end)
    wanted = queries.SignalFilter(
        asked.symbol,
        asked.strategy,
        asked.state,
        asked.start,
        asked.end,
        None if asked.cursor is None else read_cursor(asked.cursor),
        asked.limit + 1,
    )
    async with shared.question() as session:
        await check_symbol(shared, session, asked.symbol)
        found = await queries.signal_history(session, wanted)
    page = found[: asked.limit]
    more = len(found) > asked.limit
    rows = tuple(SignalAnswer(**{name: getattr(row, name) for name in row.__slots__}) for row in page)
    return answer(
        request,
        SignalPage(signals=rows, next_cursor=cursor_at(page[-1].event_time_ms, page[-1].event_id) if more else None),
        1,
    )


def create_api(shared: Gateway | None) -> FastAPI:
    """The application; without `shared` it can only describe itself (for the OpenAPI document)."""
    application = FastAPI(
        title="Perpstream",
        version=VERSION,
        description="Rates, trades, candles, liquidations and scored signals. Money is decimal text; times are ms since"
        " the epoch (UTC).",
        openapi_url="/api/openapi.json",
        docs_url="/docs",
        redoc_url=None,
    )
    application.state.gateway = shared
    application.include_router(router)
    application.include_router(feeds.router)
    application.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    install(application)
    plain = application.openapi
    application.openapi = lambda: application.openapi_schema or describe(plain())  # type: ignore[method-assign]
    return application
