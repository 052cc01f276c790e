"""The API of a gateway in the test's own process, on a real database and over real HTTP, with a clock that tests move."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pyotp
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from infra.local.ports import free_port
from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.codes import random_id
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.audit import Actor
from libs.store.engine import Engine, create_engine, write_session
from libs.store.people import Role
from libs.store.people_admin import By, make_invite
from libs.streaming.commands import CommandDesk
from services.gateway.access import Access
from services.gateway.access_tokens import AccessTokens
from services.gateway.api import create_api
from services.gateway.app import http_config, listen
from services.gateway.factors import Factors
from services.gateway.issuing import Issuer, issuer_key
from services.gateway.passwords import Passwords
from services.gateway.secret import derived, gateway_secret
from services.gateway.settings import AccessSettings, GatewaySettings
from services.gateway.shared import Gateway
from services.gateway.standings import Standings
from tests.services.processes import eventually

PASSWORD = "a long enough password"
OPERATOR = Actor("the operator")
NO_BROKER = "127.0.0.1:1"


class CountingHasher(PasswordHasher):
    """Counts how often a password was looked at; with the cheapest parameters."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        self.verified += 1
        return super().verify(hash, password)


@dataclass(slots=True)
class Clock:
    """The machine's time or a standing one, and what a test adds."""

    added: float = 0.0
    standing: float | None = None

    def __call__(self) -> float:
        return (time.time() if self.standing is None else self.standing) + self.added

    def stop(self) -> None:
        """Nothing expires from now on, however slow the machine is."""
        self.standing = time.time()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    body: Any
    headers: dict[str, str]
    cookies: tuple[str, ...]


@dataclass(slots=True)
class Device:
    """A browser or program of somebody. A browser says from which page its requests come, and keeps cookies."""

    url: str
    session: aiohttp.ClientSession
    token: str | None = None
    origin: str = ""

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Said:
        """One request; a header's name is written with _ for -, and left out when it is empty."""
        sent = {"Origin": self.origin or self.url} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if value}
        async with self.session.request(method, self.url + path, json=body, headers=sent) as answer:
            text = await answer.json(content_type=None) if "json" in answer.content_type else None
            cookies = tuple(answer.headers.getall("Set-Cookie", []))
            return Said(answer.status, text, {k.lower(): v for k, v in answer.headers.items()}, cookies)

    async def get(self, path: str, **headers: str) -> Said:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Said:
        return await self.ask("POST", path, {} if body is None else body, **headers)

    async def is_in(self) -> bool:
        """Whether the API knows this device."""
        return (await self.get("/api/auth/me")).status == 200


@dataclass(slots=True)
class House:
    """A gateway that a test asks."""

    url: str
    access: Access
    application: FastAPI
    engine: Engine
    clock: Clock
    hasher: CountingHasher
    shared: Gateway
    issuer: Issuer
    _sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def device(self, token: str | None = None) -> Device:
        """A new one, with its own cookies."""
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
        self._sessions.append(aiohttp.ClientSession(cookie_jar=jar))
        scheme = "https:" if self.access.rules.gateway_behind_tls else "http:"
        return Device(self.url, self._sessions[-1], token, self.url.replace("http:", scheme))

    async def invite(self, role: Role = "viewer", hours: float = 1) -> str:
        """The code of a new invite."""
        by = By(OPERATOR, self.access.at())
        async with write_session(self.engine) as session:
            return (await make_invite(session, role, dt.timedelta(hours=hours), by)).code

    async def person(self, role: Role = "viewer", name: str | None = None) -> tuple[str, Device]:
        """A new account and a browser that is signed in."""
        name, device = name or f"p{random_id()[:12]}", self.device()
        asked = {"name": name, "password": PASSWORD, "code": await self.invite(role)}
        answer = await device.post("/api/auth/register", asked)
        assert answer.status == 200, answer.body
        return name, device

    async def log_in(self, name: str, password: str = PASSWORD) -> Device:
        """Another browser of this person."""
        device = self.device()
        answer = await device.post("/api/auth/login", {"name": name, "password": password})
        assert answer.status == 200, answer.body
        return device

    async def enrol(self, device: Device) -> pyotp.TOTP:
        """A second factor in force, with its proof given."""
        answer = await device.post("/api/auth/second-factor", {"password": PASSWORD})
        assert answer.status == 200, answer.body
        app = pyotp.TOTP(answer.body["secret"])
        answer = await device.post("/api/auth/second-factor/confirm", {"code": app.at(int(self.clock()))})
        assert answer.status == 200, answer.body
        return app

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()


async def _is_up(server: uvicorn.Server, access: Access) -> bool:
    return server.started and access.standings.hears


@asynccontextmanager
async def open_house(
    database_url: str,
    folder: Path,
    rules: GatewaySettings | None = None,
    limits: AccessSettings | None = None,
    bootstrap: str = NO_BROKER,
) -> AsyncIterator[House]:
    """A gateway that runs in this event loop; `limits` without any unless given, `bootstrap`: where commands go."""
    settings = DatabaseSettings(database_url=database_url)
    engine, people, notices = (create_engine(settings, connections=count) for count in (3, 3, 1))
    await migrate.upgrade(engine)
    limits = limits or AccessSettings(
        gateway_requests_per_second=1e6, gateway_sign_ins_per_minute=1e6, gateway_state_dir=folder
    )
    secret, clock, hasher = gateway_secret(folder), Clock(), CountingHasher()
    access = Access(
        people,
        AccessTokens(derived(secret, "access tokens")),
        Standings(people, notices),
        Factors(derived(secret, "second factors")),
        rules or GatewaySettings(),
        limits,
        Passwords(hasher),
        clock,
    )
    shared = Gateway(engine, engine, ("BTCUSDT",))
    port = free_port()
    issuer = Issuer(
        CommandDesk(bootstrap, COMMAND, COMMAND_RESULT, service="gateway"), issuer_key(folder), shared.words
    )
    application = create_api(shared, access, issuer)
    server = uvicorn.Server(http_config(application))
    listener = listen(GatewaySettings(gateway_port=port))
    serving = [asyncio.create_task(server.serve(sockets=[listener])), asyncio.create_task(access.standings.follow())]
    house = House(f"http://127.0.0.1:{port}", access, application, engine, clock, hasher, shared, issuer)
    try:
        await eventually(partial(_is_up, server, access), 60, lambda: "the gateway is not up")
        yield house
    finally:
        await house.close()
        server.should_exit = True
        serving[1].cancel()
        with suppress(asyncio.CancelledError):
            await serving[1]
        await serving[0]
        for each in (engine, people, notices):
            await each.dispose()
