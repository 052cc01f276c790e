"""The two routes that everybody may ask: whether the installation answers, and the rates of the first symbols."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.kit.errors import UnreachableError, UserError
from libs.kit.service import VERSION
from libs.store import queries
from services.gateway.asking import Shared, kept
from services.gateway.models.base import Component, Health
from services.gateway.models.market import RateAnswer, Rates
from services.gateway.problems import RESPONSES
from services.gateway.shared import Gateway

RATES_SYMBOLS = 4
RATES_CACHE_SECONDS = 3
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
    return await kept(
        request, shared, RATES_CACHE_SECONDS, lambda: _newest_rates(shared, shared.symbols[:RATES_SYMBOLS])
    )


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
