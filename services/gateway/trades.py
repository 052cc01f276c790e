"""The routes about aggregate trades: what is held, and candles with or without their flows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.store import queries
from libs.store.candles import (
    Candle,
    CandleSpan,
    PriceCandle,
    archive_candles,
    candles,
    last_archived_time,
    last_rate_time,
    rate_candles,
)
from libs.store.engine import ReadSession
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, check_span, check_symbol, kept
from services.gateway.models.base import INTERVALS, Interval
from services.gateway.models.trades import (
    Candles,
    CandleSource,
    KlineAnswer,
    SummaryRow,
    TradesMeta,
    TradesOfSymbol,
    TradesSummary,
)
from services.gateway.paging import LISTED, csv_of, wants_csv
from services.gateway.problems import RESPONSES, BadRequest
from services.gateway.shared import Gateway

MOST_CANDLES = 1500
_TWELVE_DIGITS = Context(prec=12)
_WITH = "^(cvd|vwap)(,(cvd|vwap))?$"


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """Symbol, interval and time span of a candle question, as asked."""

    symbol: Annotated[Text, Query(min_length=1, max_length=40, examples=["BTCUSDT"])]
    interval: Annotated[Interval, Query(examples=["1m"])] = "1m"
    start: Annotated[
        TimeMs | None, Query(alias="from", description="First instant, ms; default: limit intervals back")
    ] = None
    end: Annotated[
        TimeMs | None, Query(alias="to", description="Instant after the last, ms; default: after the newest interval")
    ] = None
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES), PLAIN] = 200
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


@dataclass(frozen=True, slots=True)
class KlineQuery:
    """From what candles are made, and what is shown beside them, as asked."""

    source: Annotated[
        CandleSource, Query(description="Aggregate trades, mark prices every two seconds, or bars of imported archives")
    ] = "trades"
    also: Annotated[
        str | None,
        Query(alias="with", pattern=_WITH, examples=["cvd,vwap"], description="cvd, vwap, or both by a comma"),
    ] = None


router = APIRouter(prefix="/api", responses=RESPONSES, tags=["trades"])


@router.get("/trades/meta", operation_id="getTradesMeta", response_model=TradesMeta)
async def trades_meta(request: Request, shared: Shared) -> Response:
    """What the database holds of each symbol's aggregate trades, and what is missing."""

    async def found() -> TradesMeta:
        async with shared.question() as session:
            held = await queries.trades_held(session)
        rows = (TradesOfSymbol(**{name: getattr(row, name) for name in row.__slots__}) for row in held)
        return TradesMeta(symbols=tuple(rows))

    return await kept(request, shared, 1, found)


@router.get("/trades/summary", operation_id="getTradesSummary", response_model=TradesSummary, responses=LISTED)
async def trades_summary(request: Request, shared: Shared, asked: Annotated[SpanQuery, Depends()]) -> Response:
    """Open, high, low, close, volume, taker flows and VWAP per interval, from aggregate trades."""

    async def found() -> TradesSummary:
        rows = tuple(map(_summary, await _candles(shared, asked)))
        return TradesSummary(symbol=asked.symbol, interval=asked.interval, rows=rows)

    if wants_csv(request, asked.format):
        return csv_of(SummaryRow, (await found()).rows, "trades")
    return await kept(request, shared, 1, found)


@router.get("/kline", operation_id="getKline", response_model=Candles, responses=LISTED)
async def kline(
    request: Request, shared: Shared, asked: Annotated[SpanQuery, Depends()], how: Annotated[KlineQuery, Depends()]
) -> Response:
    """Candles of one second to one day, from aggregate trades, from mark prices, or from archives' bars."""

    async def found() -> Candles:
        made = await (_candles(shared, asked) if how.source == "trades" else _prices(shared, asked, how.source))
        rows = tuple(_klines(made, frozenset((how.also or "").split(","))))
        return Candles(symbol=asked.symbol, interval=asked.interval, source=how.source, candles=rows)

    if wants_csv(request, asked.format):
        return csv_of(KlineAnswer, (await found()).candles, "kline")
    return await kept(request, shared, 1, found)


def _klines(made: Sequence[Candle | PriceCandle], also: frozenset[str]) -> Iterable[KlineAnswer]:
    cvd: Decimal | None = Decimal(0)
    for row in made:
        delta = _delta(row)
        cvd = None if cvd is None or delta is None else cvd + delta
        yield KlineAnswer(
            **_candle_fields(row),
            cvd=cvd if "cvd" in also else None,
            vwap=_vwap(row) if "vwap" in also else None,
        )


def _delta(row: Candle | PriceCandle) -> Decimal | None:
    """What takers bought less what they sold; None where the source does not tell."""
    return None if row.volume is None or row.buy_volume is None else 2 * row.buy_volume - row.volume


def _summary(row: Candle) -> SummaryRow:
    return SummaryRow(
        **_candle_fields(row),
        quote_volume=row.quote_volume,
        buy_volume=row.buy_volume,
        sell_volume=row.volume - row.buy_volume,
        vwap=row.close if (vwap := _vwap(row)) is None else vwap,
        agg_trades=row.agg_trades,
        trades=row.trades,
    )


def _candle_fields(row: Candle | PriceCandle) -> dict[str, Any]:
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return {name: getattr(row, name) for name in names}


def _vwap(row: Candle | PriceCandle) -> Decimal | None:
    if not row.volume or row.quote_volume is None:
        return None
    return _TWELVE_DIGITS.divide(row.quote_volume, row.volume)


async def _candles(shared: Gateway, asked: SpanQuery) -> list[Candle]:
    async with shared.question() as session:
        newest = await queries.last_trade_time(session, asked.symbol)
        if (span := await _span(shared, session, asked, newest)) is None:
            return []
        return await candles(session, span)


async def _prices(shared: Gateway, asked: SpanQuery, source: CandleSource) -> list[PriceCandle]:
    async with shared.question() as session:
        if source == "rates":
            newest = await last_rate_time(session, asked.symbol, shared.live.latest_believable_ms())
            span = await _span(shared, session, asked, newest)
            return [] if span is None else await rate_candles(session, span)
        newest = await last_archived_time(session, asked.symbol, asked.interval)
        span = await _span(shared, session, asked, newest)
        return [] if span is None else await archive_candles(session, span, asked.interval)


async def _span(shared: Gateway, session: ReadSession, asked: SpanQuery, newest: int | None) -> CandleSpan | None:
    """The span to look at; None where nothing of the symbol is stored. Raises `BadRequest`."""
    if newest is None:
        await check_symbol(shared, session, asked.symbol)
        return None
    interval_ms = INTERVALS[asked.interval]
    # To the end of its interval: whole bars, not the trades of its last minute.
    end = asked.end if asked.end is not None else (newest // interval_ms + 1) * interval_ms
    last_open = (end - 1) // interval_ms * interval_ms
    start = asked.start if asked.start is not None else max(0, last_open - (asked.limit - 1) * interval_ms)
    check_span(start, end)
    if (end - start) // interval_ms > MOST_CANDLES:
        raise BadRequest(
            f"from and to span more than {MOST_CANDLES} intervals of {asked.interval}: ask for less, or longer intervals"
        )
    return CandleSpan(asked.symbol, interval_ms, start, end, asked.limit)
