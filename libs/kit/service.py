"""The shell around every service: settings, logs, health endpoints, signals, and a stop that has a deadline.

A service hands over one coroutine `main(context)`. It marks itself ready through the context, and leaves when
`context.stopping` is set. Whatever hangs after that is cut off at the deadline: start-up is recovery, so a hard exit is safe.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop
from aiohttp import web
from prometheus_client import generate_latest

from libs.kit.errors import UserError
from libs.kit.gate import wait_at_gate
from libs.kit.hosts import host_of, is_loopback
from libs.kit.logging import configure_logging, get_logger
from libs.kit.memory import give_back_memory
from libs.kit.metrics import REGISTRY, gauge
from libs.kit.settings import ProcessSettings, load_settings

VERSION = "0.1.0"
EXIT_CRASH = 70


@dataclass(slots=True)
class ServiceContext:
    """What a running service shares with its shell.

    `stopping` is set by SIGTERM or SIGINT. Readiness is a set of named conditions: the service is ready when each is true,
    and /readyz names the ones that are not.
    """

    name: str
    settings: ProcessSettings
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    conditions: dict[str, str | None] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    was_ready: bool = False
    once_ready: Callable[[], None] = give_back_memory

    def expect(self, *conditions: str) -> None:
        """Declare conditions that must become true before the service is ready."""
        for condition in conditions:
            self.conditions.setdefault(condition, "not yet")

    def fulfil(self, condition: str) -> None:
        """The condition holds now."""
        self.conditions[condition] = None
        gauge("perpstream_ready").labels(self.name).set(self.ready)
        if self.ready and not self.was_ready:
            self.was_ready = True
            self.once_ready()

    def miss(self, condition: str, why: str) -> None:
        """The condition does not hold (any more); `why` is shown by /readyz."""
        self.conditions[condition] = why
        gauge("perpstream_ready").labels(self.name).set(0)

    @property
    def ready(self) -> bool:
        return bool(self.conditions) and all(why is None for why in self.conditions.values())


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), content_type="text/plain")


def _readyz(context: ServiceContext) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        missing = {name: why for name, why in context.conditions.items() if why is not None}
        body = {
            "service": context.name,
            "ready": context.ready,
            "missing": missing,
            "details": context.details,
        }
        return web.json_response(body, status=200 if context.ready else 503)

    return handler


@web.middleware
async def _only_this_machine(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse the Host headers of other machines; a check that sends none (HTTP/1.0) is no browser."""
    host = request.headers.get("Host")
    if host is not None and not is_loopback(host_of(host)):
        return web.Response(
            status=421, text="this port answers to localhost only: call http://127.0.0.1 or localhost\n"
        )
    return await handler(request)


async def serve_health(context: ServiceContext) -> web.AppRunner:
    """Serve /healthz, /readyz and /metrics on the service's health port; raises `UserError` when the port is taken.

    A port that listens on this machine only answers to its names only. One that the operator has opened to others is asked
    under whatever name they have for it.
    """
    guards = [_only_this_machine] if is_loopback(context.settings.health_host) else []
    application = web.Application(middlewares=guards)
    application.add_routes(
        [web.get("/healthz", _healthz), web.get("/readyz", _readyz(context)), web.get("/metrics", _metrics)]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    host, port = context.settings.health_host, context.settings.health_port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise UserError(
            f"the health port cannot be opened: {error.strerror}",
            where=f"{host}:{port}",
            todo="stop what uses the port, or set PERPSTREAM_HEALTH_PORT",
        ) from None
    gauge("perpstream_service_info").labels(context.name, VERSION).set(1)
    return runner


def exit_now(reason: str) -> None:
    """Leave at once without any clean-up that could commit half-done work; the supervisor starts us again."""
    get_logger("service").error("exit now", reason=reason)
    logging.shutdown()
    os._exit(EXIT_CRASH)


def _watch_signals(context: ServiceContext, loop: asyncio.AbstractEventLoop) -> None:
    """Let SIGTERM and SIGINT ask for a stop and start its deadline.

    Plain signal handlers and a thread, not the loop's own: what hangs may be the loop itself.
    """
    seconds = context.settings.stop_deadline_seconds
    asked = threading.Event()

    def begin() -> None:
        get_logger("service").info("stopping", deadline_seconds=seconds)
        context.stopping.set()

    def on_signal(_: int, __: object) -> None:
        if asked.is_set():
            return
        asked.set()
        deadline = threading.Timer(seconds, exit_now, ["the stop deadline has passed"])
        deadline.daemon = True
        deadline.start()
        loop.call_soon_threadsafe(begin)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


async def _run(context: ServiceContext, main: Callable[[ServiceContext], Awaitable[None]]) -> None:
    _watch_signals(context, asyncio.get_running_loop())
    runner = await serve_health(context)
    try:
        await main(context)
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), timeout=2)


def _advice_in(failure: Exception) -> UserError | None:
    """The error that a person can mend, also where a task group has wrapped it; None when anything else has failed too."""
    if isinstance(failure, UserError):
        return failure
    if isinstance(failure, ExceptionGroup):
        advised, others = failure.split(UserError)
        while advised is not None and others is None:
            first = advised.exceptions[0]
            if isinstance(first, UserError):
                return first
            advised = first
    return None


def run_service(name: str, main: Callable[[ServiceContext], Awaitable[None]]) -> None:
    """Run `main` under uvloop until it returns or a signal stops it; never returns.

    Exit codes: 0 after a requested stop, 2 for a wrong setting, 4 for an unreachable server, 1 for another user error,
    70 for a crash (the traceback goes to the log, for developers).
    """
    started = time.monotonic()
    try:
        settings = load_settings(ProcessSettings)
        configure_logging(name, settings.log_level, settings.log_format)
        wait_at_gate()
        uvloop.run(_run(ServiceContext(name, settings), main))
    except Exception as failure:
        error = _advice_in(failure)
        if error is not None:
            print(f"{name}: {error.advice}", file=sys.stderr)  # noqa: T201 - the one line for a person
            sys.exit(error.exit_code)
        get_logger("service").exception("crashed", after_seconds=round(time.monotonic() - started, 1))
        sys.exit(EXIT_CRASH)
    sys.exit(0)
