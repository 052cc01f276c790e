"""Wiring: database, memory of live rates, HTTP server with the service's own health routes."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from infra.local.settings import StackSettings
from libs.contracts.topics import COMMAND, COMMAND_RESULT, SYMBOL_CONTROL
from libs.kit.errors import ConfigurationError, UserError
from libs.kit.hosts import is_loopback
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import (
    AccountSettings,
    DatabaseSettings,
    KafkaSettings,
    SymbolSettings,
    VenueSettings,
    load_settings,
)
from libs.store.engine import Engine, create_engine
from libs.store.schema_version import require_current
from libs.streaming.commands import CommandDesk
from libs.streaming.symbols import SymbolControl
from services.gateway.access import Access
from services.gateway.access_tokens import AccessTokens
from services.gateway.api import create_api
from services.gateway.factors import Factors
from services.gateway.issuing import Issuer, issuer_key
from services.gateway.live_rates import LIVE_RATES, LiveRates
from services.gateway.open_files import may_open_many, most_connections
from services.gateway.outcomes import Outcomes
from services.gateway.patience import PatientProtocol
from services.gateway.secret import derived, gateway_secret
from services.gateway.settings import AccessSettings, GatewaySettings, ServerSettings
from services.gateway.shared import QUESTIONS, Gateway
from services.gateway.stack import Stack, named_services
from services.gateway.standings import Standings
from services.gateway.stream_client import MOST_MESSAGE_BYTES

DATABASE = "database"
LISTENING = "listening"
_DATABASE_CHECK_SECONDS = 2.0
# Questions about people are short, and wait for no other ones.
PEOPLE_CONNECTIONS = 3


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service shell decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def add_health(application: FastAPI, context: ServiceContext) -> None:
    """Whether it lives and is ready, on the API's own port, for those who can reach only that one. Why not, and the metrics, are
    the health port's: this one may be everybody's."""

    @application.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    @application.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        return JSONResponse({"ready": context.ready}, 200 if context.ready else 503)


def listen(settings: GatewaySettings) -> socket.socket:
    """The listening socket; raises `UserError` when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.gateway_host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.gateway_host, settings.gateway_port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"the API's port cannot be opened: {error.strerror}",
            where=f"{settings.gateway_host}:{settings.gateway_port}",
            todo="stop what uses the port, or set PERPSTREAM_GATEWAY_PORT",
        ) from None
    return listener


async def watch_database(context: ServiceContext, shared: Gateway) -> None:
    """Say every two seconds whether the database answers. Never returns, and whatever goes wrong never ends the process."""
    while True:
        try:
            await shared.database_version()
            context.fulfil(DATABASE)
        except UserError as error:
            context.miss(DATABASE, error.advice.what)
        except Exception as error:
            get_logger("gateway").exception("the database cannot be watched")
            context.miss(DATABASE, f"it cannot be watched: {type(error).__name__}")
        await asyncio.sleep(_DATABASE_CHECK_SECONDS)


def http_config(application: FastAPI) -> uvicorn.Config:
    """How it is served. `proxy_headers` would believe whoever connects from this machine about where a request comes from."""
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        limit_concurrency=most_connections(),
        ws_max_size=MOST_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # it would be done anew for each of those who get the same
    )


def create_access(settings: GatewaySettings, rules: AccessSettings, people: Engine, notices: Engine) -> Access:
    """Who may come in. Raises `ConfigurationError` for a secret that cannot be used, and for a local viewer where others than
    this machine could be one, or where the account is a real one."""
    local = is_loopback(settings.gateway_host) or settings.gateway_published_on_loopback
    simulated = load_settings(VenueSettings).venue == "simulator"
    wider = settings.gateway_behind_tls or bool(settings.gateway_hosts)
    if rules.gateway_local_viewer and (not local or wider or not simulated):
        raise ConfigurationError(
            "a local viewer is for this machine and the simulator only",
            where="PERPSTREAM_GATEWAY_LOCAL_VIEWER",
            todo="leave it out, and make an account: perpstream admin gen-invite; or leave out PERPSTREAM_GATEWAY_HOSTS",
        )
    secret = gateway_secret(rules.gateway_state_dir)
    tokens = AccessTokens(derived(secret, "access tokens"))
    factors = Factors(derived(secret, "second factors"))
    return Access(people, tokens, Standings(people, notices), factors, settings, rules)


def create_shared(engine: Engine, watching: Engine) -> Gateway:
    """What the routes share, as the settings say."""
    venue, services = load_settings(VenueSettings), load_settings(ServerSettings).gateway_services
    return Gateway(
        engine,
        watching,
        load_settings(SymbolSettings).symbols,
        LiveRates(real_time=venue.venue_speed == 1.0),
        stack=Stack(load_settings(StackSettings).state_dir, named_services(services)),
        account=load_settings(AccountSettings).account,
        venue=venue.venue,
    )


def create_issuer(bootstrap: str, access: Access, shared: Gateway) -> Issuer:
    """Who says commands for people. Raises `ConfigurationError` for a key that cannot be used."""
    desk = CommandDesk(bootstrap, COMMAND, COMMAND_RESULT, service="gateway")
    return Issuer(desk, issuer_key(access.limits.gateway_state_dir), shared.words)


async def main(context: ServiceContext) -> None:
    """Serve until the service is stopped. Raises `UserError` when the port or the database cannot be used at the start."""
    settings, kafka = load_settings(GatewaySettings), load_settings(KafkaSettings)
    may_open_many()
    context.expect(DATABASE, LIVE_RATES, LISTENING)
    database = load_settings(DatabaseSettings)
    engine = create_engine(database, application="perpstream gateway", connections=QUESTIONS)
    # A connection of its own: questions that take all the others must not look like a database that is away.
    watching = create_engine(database, application="perpstream gateway watch", connections=1)
    people = create_engine(database, application="perpstream gateway people", connections=PEOPLE_CONNECTIONS)
    notices = create_engine(database, application="perpstream gateway notices", connections=1)
    try:
        await require_current(engine)
        shared = create_shared(engine, watching)
        # What was added or removed comes as soon as Kafka answers; the database's answers do not wait for that.
        control = SymbolControl(kafka.kafka_bootstrap, SYMBOL_CONTROL, shared.symbols)
        access = create_access(settings, load_settings(AccessSettings), people, notices)
        application = create_api(shared, access, create_issuer(kafka.kafka_bootstrap, access, shared))
        add_health(application, context)
        listener = listen(settings)
        host, port = listener.getsockname()[:2]
        server = _Server(http_config(application))
        beside = [
            asyncio.ensure_future(shared.live.follow(kafka.kafka_bootstrap, context)),
            asyncio.ensure_future(shared.live.watch(kafka.kafka_bootstrap, context)),
            asyncio.ensure_future(watch_database(context, shared)),
            asyncio.ensure_future(shared.words.follow(kafka.kafka_bootstrap)),
            asyncio.ensure_future(control.follow(shared)),
            asyncio.ensure_future(application.state.streams.feed.run(kafka.kafka_bootstrap, shared.live)),
            asyncio.ensure_future(application.state.trail.pay(people)),
            asyncio.ensure_future(Outcomes(shared.words, application.state.trail).follow(people)),
            asyncio.ensure_future(access.standings.follow()),
            asyncio.ensure_future(access.standings.tidy(access.at)),
        ]
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        context.details["url"] = f"http://{host}:{port}"
        context.fulfil(LISTENING)
        get_logger("gateway").info("listening", url=context.details["url"])
        stopping = asyncio.ensure_future(context.stopping.wait())
        done, _ = await asyncio.wait([serving, stopping, *beside], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        server.should_exit = True
        for task in beside:
            task.cancel()
        await serving
    finally:
        for each in (engine, watching, people, notices):
            await each.dispose()
