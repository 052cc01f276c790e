"""The routes about scored signals."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.store import queries
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
from services.gateway.models.signals import SignalAnswer, SignalPage
from services.gateway.problems import RESPONSES


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
