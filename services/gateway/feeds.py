"""The routes about the proof of data: how each feed is, and which trades are or were missing."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.market import GapOutcome
from libs.store.feed_questions import FeedNow, GapFilter, GapPlace, KnownGap, feeds_now, known_feeds, known_gaps
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
from services.gateway.models.feeds import FeedAnswer, Feeds, GapAnswer, GapPage
from services.gateway.paging import CSV_PAGE_ROWS, LISTED, csv_answer, rows_as_csv, wants_csv
from services.gateway.problems import RESPONSES, BadRequest
from services.gateway.shared import Gateway

_ID_LIMIT = 1 << 63


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Which feeds, as asked."""

    feed: Annotated[Text | None, Query(max_length=80, examples=["trades"])] = None
    symbol: Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])] = None


@dataclass(frozen=True, slots=True)
class GapQuery:
    """Filters of the gaps, as asked."""

    symbol: Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])] = None
    outcome: Annotated[GapOutcome | None, Query(examples=["lost"])] = None
    start: Annotated[
        TimeMs | None, Query(alias="from", description="Gaps that reach to this instant or beyond, ms")
    ] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="Gaps that begin before this instant, ms")] = None
    limit: Annotated[int, Query(ge=1, le=500), PLAIN] = 100
    cursor: Annotated[str | None, Query(max_length=200, description="next_cursor of the page before")] = None
    format: Annotated[Literal["json", "csv"] | None, Query(description="csv is the whole list")] = None


router = APIRouter(prefix="/api", responses=RESPONSES)


@router.get("/feeds", operation_id="getFeeds", response_model=Feeds, tags=["data"])
async def feeds(request: Request, shared: Shared, asked: Annotated[FeedQuery, Depends()]) -> Response:
    """The last report of each feed and symbol: state, figures, gaps and completeness. A report comes every ten seconds of venue
    time; an old `reported_ms` means that nobody reports any more."""

    async def found() -> Feeds:
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
            rows = await feeds_now(session, asked.feed, asked.symbol)
            if asked.feed is not None and not rows and asked.feed not in (known := await known_feeds(session)):
                raise BadRequest(f"no feed {asked.feed} has reported; known feeds: {', '.join(known) or 'none yet'}")
        return Feeds(feeds=tuple(_feed(row) for row in rows))

    return await kept(request, shared, 1, found)


@router.get("/gaps", operation_id="getGaps", response_model=GapPage, responses=LISTED, tags=["data"])
async def gaps(request: Request, shared: Shared, asked: Annotated[GapQuery, Depends()]) -> Response:
    """Aggregate ids that the trade streams did not bring and how that ended, newest first; page by `cursor`."""
    check_span(asked.start, asked.end)
    before = None if asked.cursor is None else _place(asked.cursor)
    wanted = GapFilter(asked.symbol, asked.outcome, asked.start, asked.end, before, asked.limit + 1)

    async def found() -> GapPage:
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
            rows = await known_gaps(session, wanted)
        page = rows[: asked.limit]
        following = _cursor(page[-1].place) if len(rows) > asked.limit else None
        return GapPage(gaps=tuple(_gap(row) for row in page), next_cursor=following)

    if wants_csv(request, asked.format):
        async with shared.question() as session:
            await check_symbol(shared, session, asked.symbol)
        return csv_answer(rows_as_csv(GapAnswer, _pages(shared, wanted)), "gaps")
    return await kept(request, shared, 1, found)


async def _pages(shared: Gateway, wanted: GapFilter) -> AsyncIterator[list[Mapping[str, Any]]]:
    rest = replace(wanted, most=CSV_PAGE_ROWS)
    while True:
        async with shared.question() as session:
            rows = await known_gaps(session, rest)
        if rows:
            yield [asdict(row) for row in rows]
        if len(rows) < CSV_PAGE_ROWS:
            return
        rest = replace(rest, before=rows[-1].place)


def _feed(row: FeedNow) -> FeedAnswer:
    return FeedAnswer(**asdict(row), live=row.live)


def _gap(row: KnownGap) -> GapAnswer:
    return GapAnswer(**asdict(row))


def _cursor(place: GapPlace) -> str:
    return cursor_at(place.from_ms, f"{place.symbol}/{place.first_missing_id}/{place.last_missing_id}")


def _place(cursor: str) -> GapPlace:
    """Raises `BadRequest` for what `_cursor` has not written."""
    from_ms, name = read_cursor(cursor)
    symbol, *ids = name.split("/")
    try:
        first, last = map(int, ids)
    except ValueError:
        raise BadRequest("cursor is not one that this API gave out") from None
    place = GapPlace(from_ms, symbol, first, last)
    if max(abs(first), abs(last)) >= _ID_LIMIT or _cursor(place) != cursor:
        raise BadRequest("cursor is not one that this API gave out")
    return place
