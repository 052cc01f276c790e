"""Lists: a page as JSON with a cursor to the next one, or the whole list as CSV, page by page while it is sent."""

import base64
import binascii
import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from libs.store.listing import NUMBERED, Listed, Listing, Place, Wanted, listed
from services.gateway.asking import PLAIN, TimeMs, check_span, check_symbol, kept
from services.gateway.models.base import Answer, plain
from services.gateway.problems import BadRequest
from services.gateway.shared import Gateway

MOST_ROWS = 500
CSV_TYPE = "text/csv; charset=utf-8"
CSV_PAGE_ROWS = 2000
LISTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A page; as CSV the whole list"}
}
"""What a route of a list adds to its description."""
_LATEST_US = 253_402_300_800_000_000
_ID_LIMIT = 1 << 63
_NOT_OURS = "cursor is not one that this API gave out"


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which part of a list, and in which form, as asked."""

    start: Annotated[TimeMs | None, Query(alias="from", description="First instant, ms")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="Instant after the last, ms")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page; CSV has all"), PLAIN] = 100
    cursor: Annotated[str | None, Query(max_length=400, description="next_cursor of the page before")] = None
    format: Annotated[
        Literal["json", "csv"] | None,
        Query(description="Default: what the Accept header prefers; csv is the whole list"),
    ] = None


@dataclass(frozen=True, slots=True)
class Table:
    """A list with the model of its rows and of its pages (`rows`, `next_cursor`)."""

    listing: Listing
    row: type[Answer]
    page: type[BaseModel]
    max_age: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a table: its filters beside the query of its page. `symbol` is refused when nobody knows it."""

    query: PageQuery
    equal: Mapping[str, object] = field(default_factory=dict)


async def send_list(request: Request, shared: Gateway, table: Table, asked: Asked) -> Response:
    """A page, or everything as CSV."""
    check_span(asked.query.start, asked.query.end)
    before = None if asked.query.cursor is None else read_place(asked.query.cursor, table.listing)
    wanted = Wanted(asked.equal, asked.query.start, asked.query.end, before, asked.query.limit + 1)
    if wants_csv(request, asked.query.format):
        await _check(shared, asked)
        lines = _lines(shared, table, replace(wanted, most=CSV_PAGE_ROWS))
        return csv_answer(lines, table.listing.table)

    async def page() -> BaseModel:
        async with shared.question() as session:
            await check_symbol(shared, session, _symbol(asked))
            found = await listed(session, table.listing, wanted)
        shown = found[: asked.query.limit]
        following = place_cursor(shown[-1].place) if len(found) > asked.query.limit else None
        return table.page(rows=tuple(table.row(**row.values) for row in shown), next_cursor=following)

    return await kept(request, shared, table.max_age, page)


def wants_csv(request: Request, chosen: str | None) -> bool:
    """Whether the table is to be a file."""
    if chosen is not None:
        return chosen == "csv"
    return request.headers.get("accept", "").split(",")[0].split(";")[0].strip().lower() == "text/csv"


def csv_answer(lines: AsyncIterator[str], name: str) -> Response:
    """Lines as a file of this name, sent while they come."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, headers=headers, media_type=CSV_TYPE)


def csv_of(row: type[Answer], rows: Sequence[Answer], name: str) -> Response:
    """Rows that are at hand as a file of this name."""

    async def page() -> AsyncIterator[list[Mapping[str, Any]]]:
        yield [one.model_dump() for one in rows]

    return csv_answer(rows_as_csv(row, page()), name)


async def rows_as_csv(row: type[Answer], rows: AsyncIterator[list[Mapping[str, Any]]]) -> AsyncIterator[str]:
    """A line of names, then the rows; what is no plain value is JSON."""
    names = list(row.model_fields)
    yield csv_line(names)
    async for page in rows:
        yield "".join(csv_line([_cell(values[name]) for name in names]) for values in page)


def csv_line(cells: list[Any]) -> str:
    """One line of RFC 4180."""
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, separators=(",", ":"), default=_text)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"  # a spreadsheet would take it for a formula
    return value


def _text(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


async def _lines(shared: Gateway, table: Table, wanted: Wanted) -> AsyncIterator[str]:
    async def pages() -> AsyncIterator[list[Mapping[str, Any]]]:
        rest = wanted
        while True:
            found: list[Listed] = []
            async with shared.question() as session:
                found = await listed(session, table.listing, rest)
            if found:
                yield [row.values for row in found]
            if len(found) < rest.most:
                return
            rest = replace(rest, before=found[-1].place)

    async for line in rows_as_csv(table.row, pages()):
        yield line


async def _check(shared: Gateway, asked: Asked) -> None:
    async with shared.question() as session:
        await check_symbol(shared, session, _symbol(asked))


def _symbol(asked: Asked) -> str | None:
    symbol = asked.equal.get("symbol")
    return symbol if isinstance(symbol, str) else None


def place_cursor(place: Place) -> str:
    """The text of a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def read_place(cursor: str, listing: Listing) -> Place:
    """The place; raises `BadRequest` for what `place_cursor` has not written for this list."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise BadRequest(_NOT_OURS) from None
    if not isinstance(found, list) or len(found) != len(listing.order) or not all(map(_may_stand, found)):
        raise BadRequest(_NOT_OURS)
    at = found[0]
    place = tuple(found)
    if not isinstance(at, int) or not 0 <= at < _LATEST_US or place_cursor(place) != cursor:
        raise BadRequest(_NOT_OURS)
    if any(isinstance(one, int) != (name in NUMBERED) for name, one in zip(listing.order[1:], found[1:], strict=True)):
        raise BadRequest(_NOT_OURS)
    return place


def _may_stand(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return (isinstance(value, int) and abs(value) < _ID_LIMIT) or (isinstance(value, str) and value.isprintable())
