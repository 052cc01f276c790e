"""HTTP without a network: the client's session hands its request to the simulator's own handlers, through its faults.

A request that has left arrives, whatever becomes of whoever sent it; its answer takes time, or gets lost.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.chaos.money.processes import Process, outside

Handler = Callable[[Any], Awaitable[web.StreamResponse]]
Middleware = Callable[[Any, Handler], Awaitable[web.StreamResponse]]
Tell = Callable[[str, str], None]
_FASTEST, _SLOWEST, _RARELY = 0.004, 0.040, 0.6


@dataclass(frozen=True)
class _Body:
    content: bytes

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        yield self.content


@dataclass(frozen=True)
class Answer:
    """What the client reads."""

    status: int
    headers: Mapping[str, str]
    content: _Body

    def close(self) -> None:
        """There is nothing to close."""


class _Cut:
    """The server's side of the connection."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class ServerRequest(dict[Any, Any]):
    """A request as the simulator's handlers look at one."""

    def __init__(self, method: str, url: URL, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.method, self.path, self.raw_path = method, url.path, url.raw_path_qs
        self.query, self.headers = url.query, CIMultiDict(headers)
        self.remote, self.content_type = "127.0.0.1", ""
        self.transport = _Cut()
        self.match_info: dict[str, str] = {}
        self.who = ""

    async def read(self) -> bytes:
        """Everything is in the query."""
        return b""


@dataclass
class Server:
    """The simulator's paths behind its middleware."""

    handlers: dict[tuple[str, str], Handler]
    middleware: Middleware
    chance: random.Random
    tell: Tell

    @classmethod
    def of(cls, routes: Iterable[web.RouteDef], middleware: Middleware, chance: random.Random, tell: Tell) -> "Server":
        """Of the same routes that would be served on a port."""
        return cls({(one.method, one.path): one.handler for one in routes}, middleware, chance, tell)

    def delay(self) -> float:
        """Of one way, s: mostly tens of ms, now and then much more."""
        longest = _RARELY if self.chance.random() < 0.02 else _SLOWEST
        return self.chance.uniform(_FASTEST, longest)

    async def handle(self, request: ServerRequest) -> Answer:
        """Raises `aiohttp.ServerDisconnectedError` where the connection was cut instead."""
        handler = self.handlers.get((request.method, request.path))
        if handler is None:
            raise KeyError(f"the exchange has no {request.method} {request.path}")
        response = await self.middleware(request, handler)
        if request.transport.aborted:
            raise aiohttp.ServerDisconnectedError
        assert isinstance(response, web.Response)
        body = response.body if isinstance(response.body, bytes) else b""
        return Answer(response.status, response.headers, _Body(body))


@dataclass
class MemorySession:
    """What a process has in place of `aiohttp.ClientSession`."""

    server: Server
    process: Process

    def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout, **_: Any
    ) -> "_Exchange":
        self.process.check()
        return _Exchange(self, ServerRequest(method, url, headers), timeout.total or 60.0)


@dataclass
class _Exchange:
    session: MemorySession
    request: ServerRequest
    seconds: float
    _said: str = field(init=False, default="")

    async def __aenter__(self) -> Answer:
        server, request = self.session.server, self.request
        request.who = self.session.process.name
        self._said = f"{request.method} {request.path} {_parameters(request)}"
        server.tell(self.session.process.name, f"-> {self._said}")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._travel = outside(self._there_and_back(answer))
        async with asyncio.timeout(self.seconds):
            return await answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        return None

    async def _there_and_back(self, answer: "asyncio.Future[Answer]") -> None:
        server, name = self.session.server, self.session.process.name
        await asyncio.sleep(server.delay())
        try:
            found = await server.handle(self.request)
        except aiohttp.ClientError as error:
            server.tell(name, f"<- {self._said}: cut")
            if not answer.done():
                answer.set_exception(error)
            return
        await asyncio.sleep(server.delay())
        server.tell(name, f"<- {self._said}: {found.status} {found.content.content[:300]!r}")
        if not answer.done():
            answer.set_result(found)


def _parameters(request: ServerRequest) -> str:
    hidden = ("signature", "timestamp", "recvWindow", "newOrderRespType", "algoType", "positionSide")
    return " ".join(f"{name}={value}" for name, value in request.query.items() if name not in hidden)
