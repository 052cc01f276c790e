"""The routes about aggregate trades: what is held, and candles with or without their flows."""

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.store import queries
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, answer, check_span
from services.gateway.models.base import INTERVALS, Interval
from services.gateway.models.trades import CandleAnswer, Candles, SummaryRow, TradesMeta, TradesOfSymbol, TradesSummary
from services.gateway.problems import RESPONSES, BadRequest
from services.gateway.shared import Gateway

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


router = APIRouter(prefix="/api", responses=RESPONSES)


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
