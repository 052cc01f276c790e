"""The application: every group of routes is a module of its own; those of `public` are everybody's, the others are not."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from libs.kit.service import VERSION
from services.gateway import feeds, local_viewer, market, public, signals, trades
from services.gateway.access import Access, needs
from services.gateway.problems import SIGNED_IN_RESPONSES, describe, install
from services.gateway.shared import Gateway

GROUPS = (market.router, trades.router, signals.router, feeds.router)
"""What is included together: whatever all of these must ask first is said in one place."""


def create_api(shared: Gateway | None, access: Access | None = None) -> FastAPI:
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
    application.state.gateway, application.state.access = shared, access
    application.include_router(public.router)
    application.include_router(local_viewer.router)
    for group in GROUPS:
        application.include_router(group, dependencies=[needs("read")], responses=SIGNED_IN_RESPONSES)
    application.add_api_route("/", lambda: RedirectResponse("/docs"), include_in_schema=False)
    install(application)
    plain = application.openapi
    application.openapi = lambda: application.openapi_schema or describe(plain())  # type: ignore[method-assign]
    return application
