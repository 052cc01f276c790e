"""The application: every group of routes is a module of its own; those of `public` are everybody's, the others are not."""

from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from libs.kit.service import VERSION
from services.gateway import (
    accounts,
    audit,
    backtests,
    commands,
    feeds,
    funding,
    live,
    live_commands,
    live_story,
    local_viewer,
    market,
    own_sessions,
    paper,
    profit,
    public,
    risk,
    risk_commands,
    second_factor,
    server,
    signal_story,
    signals,
    strategies,
    strategy_changes,
    stream,
    trades,
    users,
)
from services.gateway.access import Access, needs
from services.gateway.backtest_runs import BacktestRuns
from services.gateway.dashboard import BUILT_SITE, Site, dashboard_router
from services.gateway.guard import Guard
from services.gateway.issuing import Issuer
from services.gateway.limits import Limit
from services.gateway.pace import Pace
from services.gateway.problems import SIGNED_IN_RESPONSES, describe, install
from services.gateway.shared import Gateway
from services.gateway.trail import Trail

GROUPS = (
    market.router,
    trades.router,
    funding.router,
    signals.router,
    signal_story.router,
    feeds.router,
    paper.router,
    live.router,
    live_story.router,
    profit.router,
    risk.router,
    strategies.router,
    server.router,
    audit.router,
)
"""What is included together: whatever all of these must ask first is said in one place."""


PEOPLE = (local_viewer.router, accounts.router, own_sessions.router, second_factor.router, users.router)
"""Accounts and sign-ins: each of these routes says itself who may ask it."""


TELLING = (commands.router, risk_commands.router, live_commands.router, strategy_changes.router, backtests.router)
"""What people tell services: each of these routes says itself who may, and what it needs beside."""


def _guard(application: FastAPI, access: Access) -> None:
    """What is added last is met first."""
    if access.rules.gateway_cors_origins:
        application.add_middleware(
            CORSMiddleware,
            allow_origins=access.rules.gateway_cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"),
            expose_headers=("ETag", "Location", "Retry-After", "X-Request-Id"),
        )
    each, guesses = access.limits.gateway_requests_per_second, access.limits.gateway_sign_ins_per_minute
    requests = Limit(each, 2 * each)
    application.add_middleware(Guard, rules=access.rules, requests=requests, guesses=Limit(guesses / 60, guesses))


def create_api(
    shared: Gateway | None, access: Access | None = None, issuer: Issuer | None = None, site: Site = BUILT_SITE
) -> FastAPI:
    """The application; without `shared` it can only describe itself (for the OpenAPI document), without `issuer` only read."""
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
    application.state.streams, application.state.issuer = stream.Streams(), issuer
    application.state.pace = Pace()
    state_dir = Path() if access is None else access.limits.gateway_state_dir
    application.state.trail = Trail() if access is None else Trail.kept_in(state_dir)
    application.state.backtests = BacktestRuns(state_dir / "backtests")
    application.include_router(public.router)
    for group in PEOPLE:
        application.include_router(group)
    for group in TELLING:
        application.include_router(group)
    for group in GROUPS:
        application.include_router(group, dependencies=[needs("read")], responses=SIGNED_IN_RESPONSES)
    application.include_router(stream.router)
    application.include_router(dashboard_router(site))
    install(application)
    if access is not None:
        _guard(application, access)
    plain = application.openapi
    application.openapi = lambda: application.openapi_schema or describe(plain())  # type: ignore[method-assign]
    return application
