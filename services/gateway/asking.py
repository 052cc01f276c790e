"""What several routes share: how an answer is sent, how a page goes on, and what is refused in the same words."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError

from libs.contracts.plausible import LATEST_MS
from libs.store import queries
from libs.store.engine import ReadSession
from services.gateway.caching import Body, Lasts
from services.gateway.problems import BadRequest
from services.gateway.shared import Gateway

_INTEGER = re.compile(r"-?[0-9]{1,20}")
_known_names: dict[str, frozenset[str]] = {}


def _plain_digits(text: object) -> object:
    """Python reads "1_000", " 1", "1.0" and other scripts' digits as integers; whoever sends them means something else."""
    if isinstance(text, str) and not _INTEGER.fullmatch(text):
        raise PydanticCustomError("int_parsing", "Input should be a valid integer, in plain digits")
    return text


# Behind the bounds, so that it comes before them and the description of the API still has them.
PLAIN = BeforeValidator(_plain_digits)
TimeMs = Annotated[int, Query(ge=0, lt=LATEST_MS), PLAIN]


def _printable(text: str) -> str:
    """PostgreSQL takes no NUL in a text, and no name here holds what cannot be printed."""
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


Text = Annotated[str, AfterValidator(_printable)]


def _gateway(request: Request) -> Gateway:
    shared: Gateway = request.app.state.gateway
    return shared


Shared = Annotated[Gateway, Depends(_gateway)]


async def kept(request: Request, shared: Gateway, lasts: Lasts, make: Callable[[], Awaitable[BaseModel]]) -> Response:
    """What `make` makes, or has made not longer ago than it lasts (seconds) for the same path and parameters."""
    made = await shared.answers.answer(_asked(request), lasts, make)
    return _send(request, made.body, made.seconds)


def _asked(request: Request) -> str:
    """Path and parameters, those alone that the route knows: of one that is said twice the last one counts."""
    query = request.query_params
    known = sorted(_names(request.scope["route"]) & query.keys())
    return f"{request.url.path}?{urlencode([(name, query.getlist(name)) for name in known], doseq=True)}"


def _names(route: APIRoute) -> frozenset[str]:
    found = _known_names.get(route.unique_id)
    if found is None:
        found = frozenset(parameter.alias for parameter in get_flat_params(route.dependant))
        _known_names[route.unique_id] = found
    return found


def answer(request: Request, model: BaseModel, max_age: int) -> Response:
    """The model as JSON with an ETag; 304 without a body when the caller has that version already."""
    return _send(request, Body.of(model), max_age)


def _send(request: Request, body: Body, max_age: int) -> Response:
    tag = f'"{hashlib.blake2b(body.plain, digest_size=10).hexdigest()}"'
    headers = {
        # Weak: the same answer packed and plain has the same one (RFC 9110, 8.8.1).
        "ETag": f"W/{tag}",
        "Cache-Control": f"private, max-age={max_age}",
        "Vary": "Accept-Encoding",
    }
    known = {known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    if body.packed is None or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body.plain, headers=headers, media_type="application/json")
    return Response(body.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type="application/json")


def check_span(start: int | None, end: int | None) -> None:
    """Raises `BadRequest` for a span that ends before it begins."""
    if start is not None and end is not None and start > end:
        raise BadRequest(f"from ({start}) is later than to ({end})")


async def check_symbol(shared: Gateway, session: ReadSession, symbol: str | None) -> None:
    """Raises `BadRequest` for a symbol that is neither followed nor stored."""
    if symbol is None or symbol in shared.symbols:
        return
    known = {*shared.symbols, *(row.symbol for row in await queries.trades_held(session))}
    if symbol not in known:
        raise BadRequest(f"{symbol} is unknown here; known symbols: {', '.join(sorted(known))}")


def cursor_at(time_ms: int, event_id: str) -> str:
    """The text of a place in a list: a time and a name."""
    return base64.urlsafe_b64encode(f"{time_ms}:{event_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[int, str]:
    """The place; raises `BadRequest` for what `cursor_at` has not written."""
    try:
        time_ms, _, event_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        place = int(time_ms), event_id
    except ValueError:
        raise BadRequest("cursor is not one that this API gave out") from None
    # int() takes more than we write ("1_0", other scripts' digits, a sign), and so does the decoder of base64.
    if not 0 <= place[0] < LATEST_MS or not event_id.isprintable() or cursor_at(*place) != cursor:
        raise BadRequest("cursor is not one that this API gave out")
    return place
