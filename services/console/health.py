"""Asks every process of the stack how it is: the kernel for memory and age, the health endpoints for the rest."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
import psutil
from rich.table import Table

from infra.local.kafka import answers_as_kafka
from infra.local.postgres import answers_as_postgres
from infra.local.runfile import RunFile, ServiceEntry, process_of, running_stack
from libs.kit.addresses import broker_addresses
from libs.kit.secrets import masked
from services.console.watch.words import duration

STARTING_SECONDS = 60.0
_UNANSWERED = {"endpoint": "does not answer"}
_NO_ANSWER = {"server": "does not answer"}
_SECONDS = 2.0
_TIMEOUT = aiohttp.ClientTimeout(total=_SECONDS)


class ProcessReport(msgspec.Struct, kw_only=True):
    """One process. `healthy` and `ready` are None where nobody can be asked; memory in MB, its own share of shared pages."""

    name: str
    pid: int | None
    state: str
    healthy: bool | None
    ready: bool | None
    missing: dict[str, str]
    uptime_seconds: float | None
    memory_mb: float | None
    restarts: int


class StackReport(msgspec.Struct, kw_only=True):
    """The whole stack; `ready` when every process is."""

    state: str
    version: str
    supervisor_pid: int
    gateway_url: str
    kafka_bootstrap: str
    database_url: str
    memory_mb: float
    ready: bool
    services: list[ProcessReport]


class _Readiness(msgspec.Struct):
    missing: dict[str, str] = msgspec.field(default_factory=dict)


async def ask_everything(state_dir: Path) -> StackReport:
    """A report of the running stack; raises `NotRunning`."""
    run = running_stack(state_dir)
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        questions = _server_questions(run)
        services = list(
            await asyncio.gather(*(ask(session, entry, questions.get(entry.name)) for entry in run.services))
        )
    memory = await asyncio.to_thread(_memory_mb, run.supervisor_pid, run.supervisor_started_at, own=True)
    return StackReport(
        state=run.state,
        version=run.version,
        supervisor_pid=run.supervisor_pid,
        gateway_url=run.gateway_url,
        kafka_bootstrap=run.kafka_bootstrap,
        database_url=masked(run.database_url),
        memory_mb=round(sum(service.memory_mb or 0 for service in services) + (memory or 0), 1),
        ready=bool(services) and all(service.ready for service in services) and _complete(run, services),
        services=services,
    )


def _complete(run: RunFile, services: Sequence[ProcessReport]) -> bool:
    return run.state in ("ready", "running") and all(service.pid is not None for service in services)


def _server_questions(run: RunFile) -> dict[str, Callable[[], bool]]:
    """What each server of the stack is asked in its own protocol: a process that hangs still has a number."""
    try:
        (host, port), database = broker_addresses(run.kafka_bootstrap)[0], urlsplit(run.database_url)
        where = database.hostname or "", database.port or 5432
    except ValueError:  # an address that nobody of ours has written
        return {}
    return {
        "kafka": partial(answers_as_kafka, host, port, timeout_seconds=_SECONDS),
        "postgres": partial(answers_as_postgres, *where, timeout_seconds=_SECONDS),
    }


async def ask(
    session: aiohttp.ClientSession, entry: ServiceEntry, server_question: Callable[[], bool] | None = None
) -> ProcessReport:
    """One process' report; what has neither health endpoints nor a question counts as healthy while it runs."""
    alive = process_of(entry.pid, entry.started_at) is not None
    healthy: bool | None = alive
    ready, missing = alive, dict[str, str]()
    if alive and server_question is not None:
        healthy = ready = await asyncio.to_thread(server_question)
        missing = {} if ready else dict(_NO_ANSWER)
    if entry.health_url is not None:
        healthy = alive and await _answers(session, f"{entry.health_url}/healthz") == 200
        ready, missing = await _readiness(session, entry.health_url) if alive else (False, {})
    return ProcessReport(
        name=entry.name,
        pid=entry.pid if alive else None,
        state=entry.state,
        healthy=healthy,
        ready=ready,
        missing=missing,
        uptime_seconds=round(time.time() - entry.started_at, 1) if alive and entry.started_at else None,
        memory_mb=await asyncio.to_thread(_memory_mb, entry.pid, entry.started_at),
        restarts=entry.restarts,
    )


async def _answers(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


async def _readiness(session: aiohttp.ClientSession, health_url: str) -> tuple[bool, dict[str, str]]:
    try:
        async with session.get(f"{health_url}/readyz") as answer:
            return answer.status == 200, msgspec.json.decode(await answer.read(), type=_Readiness).missing
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        return False, dict(_UNANSWERED)


def _memory_mb(pid: int | None, started_at: float | None, *, own: bool = False) -> float | None:
    process = process_of(pid, started_at)
    if process is None:
        return None
    total = 0.0
    with suppress(psutil.Error):
        for member in [process] if own else [process, *process.children(recursive=True)]:
            total += _share(member)
    return round(total / 1e6, 1)


def _share(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return float(process.memory_info().rss)


def verdict(report: StackReport) -> str:
    """The stack in a few words: ready, how many are not, or what the supervisor is about."""
    if report.state not in ("ready", "running") or report.ready:
        return report.state
    waiting = sum(not service.ready for service in report.services)
    return f"{waiting} of {len(report.services)} not ready"


def status_table(report: StackReport) -> Table:
    """The report for a terminal of 80 columns or more."""
    caption = f"API {report.gateway_url} · Kafka {report.kafka_bootstrap} · {report.memory_mb:.0f} MB in all"
    table = Table(title=f"perpstream {report.version}: {verdict(report)}", caption=caption, box=None, pad_edge=False)
    table.add_column("service", no_wrap=True)
    for title in ("pid", "health", "ready", "uptime", "MB", "restarts"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("waits for", overflow="fold")
    for service in report.services:
        table.add_row(
            service.name,
            "–" if service.pid is None else str(service.pid),
            _mark(service.healthy),
            _mark(service.ready),
            "–" if service.uptime_seconds is None else duration(service.uptime_seconds),
            "–" if service.memory_mb is None else f"{service.memory_mb:.0f}",
            str(service.restarts),
            waits_for(service),
        )
    return table


def answers(service: ProcessReport) -> bool:
    """Whether the process' health endpoint has told something."""
    return service.missing != _UNANSWERED


def waits_for(service: ProcessReport, *, answered_before: bool = False) -> str:
    """What the process misses; a young one that has never answered is starting, which is no trouble."""
    young = service.uptime_seconds is not None and service.uptime_seconds < STARTING_SECONDS
    if not answers(service) and young and not answered_before:
        return "starting"
    missing = "; ".join(f"{name}: {why}" for name, why in service.missing.items())
    return missing or ("" if service.state == "running" else service.state)


def _mark(value: bool | None) -> str:
    return "–" if value is None else "[green]yes[/green]" if value else "[red]no[/red]"
