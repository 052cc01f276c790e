"""The routes about scored signals: the history, the newest of each strategy and symbol, and everything of one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.store import queries
from libs.store.engine import ReadSession
from libs.store.queries import LoggedSignal
from libs.store.signal_outcomes import SignalOutcome, outcomes_of
from services.gateway.asking import (
    PLAIN,
    Shared,
    Text,
    TimeMs,
    check_span,
    check_symbol,
    cursor_at,
    kept,
    read_cursor,
)
from services.gateway.models.signals import LatestSignals, SignalAnswer, SignalOutcomeAnswer, SignalPage
from services.gateway.paging import CSV_PAGE_ROWS, LISTED, csv_answer, rows_as_csv, wants_csv
from services.gateway.problems import RESPONSES
from services.gateway.shared import Gateway

Outcomes = Mapping[str, Sequence[SignalOutcome]]
_OUTCOME = tuple(SignalOutcomeAnswer.model_fields)


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
    format: Annotated[Literal["json", "csv"] | None, Query(description="csv is the whole list")] = None


router = APIRouter(prefix="/api/signals", responses=RESPONSES, tags=["signals"])


@router.get("/history", operation_id="getSignalsHistory", response_model=SignalPage, responses=LISTED)
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

    async def found() -> SignalPage:
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
            rows = await queries.signal_history(session, wanted)
            page = rows[: asked.limit]
            became = await _outcomes(session, page)
        following = cursor_at(page[-1].event_time_ms, page[-1].event_id) if len(rows) > asked.limit else None
        return SignalPage(signals=tuple(_answer(row, became) for row in page), next_cursor=following)

    if wants_csv(request, asked.format):
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
        return csv_answer(rows_as_csv(SignalAnswer, _pages(shared, wanted)), "signals")
    return await kept(request, shared, 1, found)


@router.get("/latest", operation_id="getSignalsLatest", response_model=LatestSignals)
async def signals_latest(
    request: Request, shared: Shared, symbol: Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])] = None
) -> Response:
    """The newest signal of each strategy and followed symbol (or of one symbol), newest first."""

    async def found() -> LatestSignals:
        async with shared.question() as session:
            await check_symbol(shared, session, symbol)
            rows = await queries.latest_signals(session, shared.symbols if symbol is None else (symbol,))
            became = await _outcomes(session, rows)
        return LatestSignals(signals=tuple(_answer(row, became) for row in rows))

    return await kept(request, shared, 1, found)


async def _outcomes(session: ReadSession, rows: Sequence[LoggedSignal]) -> Outcomes:
    """Only those that were emitted may have led to a trade."""
    return await outcomes_of(session, [row.event_id for row in rows if row.state == "emitted"])


def _answer(row: LoggedSignal, became: Outcomes) -> SignalAnswer:
    return SignalAnswer(**_fields(row, became))


def _fields(row: LoggedSignal, became: Outcomes) -> dict[str, Any]:
    known = {name: getattr(row, name) for name in row.__slots__}
    outcomes = ({name: getattr(one, name) for name in _OUTCOME} for one in became.get(row.event_id, ()))
    return known | {"outcomes": tuple(outcomes)}


async def _pages(shared: Gateway, wanted: queries.SignalFilter) -> AsyncIterator[list[Mapping[str, Any]]]:
    rest = replace(wanted, most=CSV_PAGE_ROWS)
    while True:
        async with shared.question() as session:
            rows = await queries.signal_history(session, rest)
            became = await _outcomes(session, rows)
        if rows:
            yield [_fields(row, became) for row in rows]
        if len(rows) < CSV_PAGE_ROWS:
            return
        rest = replace(rest, before=(rows[-1].event_time_ms, rows[-1].event_id))
