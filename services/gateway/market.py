"""The routes about the market beside its trades."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.plausible import LATEST_MS
from libs.store.liquidations import LiquidationSpan, liquidated
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, answer, check_span, check_symbol
from services.gateway.models.base import INTERVALS, LiquidationLength
from services.gateway.models.market import Liquidations, LiquidationWindow
from services.gateway.problems import RESPONSES
from services.gateway.trades import MOST_CANDLES


@dataclass(frozen=True, slots=True)
class LiquidationQuery:
    """Symbol, window and time span of a question about liquidations, as asked."""

    symbol: Annotated[Text, Query(min_length=1, max_length=40, examples=["BTCUSDT"])]
    window: Annotated[LiquidationLength, Query(examples=["5m"])] = "5m"
    start: Annotated[TimeMs | None, Query(alias="from", description="First start of a window, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="After the last start of a window, ms")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES, description="The newest so many"), PLAIN] = 200


router = APIRouter(prefix="/api", responses=RESPONSES)


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
