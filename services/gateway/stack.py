"""Asks every service how it is: its health port for readiness and counters, the kernel for memory where it runs beside us."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import psutil
from prometheus_client.parser import text_string_to_metric_families

from infra.local.runfile import process_of, read_run_file

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_LARGEST_BYTES = 2_000_000
THROUGHPUT: Mapping[str, str] = {
    "perpstream_messages_received": "messages_received",
    "perpstream_records_consumed": "records_consumed",
    "perpstream_records_produced": "records_produced",
    "perpstream_rows_written": "rows_written",
    "perpstream_evaluations": "evaluations",
}
"""Counters whose pace is told, by the names under which it is."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A service that is asked. `health_url` None: it has no health port of ours. `pid` and `started_at` (s) where it runs beside
    us."""

    name: str
    health_url: str | None = None
    pid: int | None = None
    started_at: float | None = None
    restarts: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """How a service is. `ready` None: nobody can be asked. Memory: its own share of shared pages, bytes. `per_second`: since the
    look before; without one it is empty."""

    name: str
    ready: bool | None
    missing: Mapping[str, str]
    version: str | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int | None
    lag_records: int | None
    per_second: Mapping[str, float]


class _Readiness(msgspec.Struct):
    missing: dict[str, str] = {}
    details: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class _Counted:
    at: float
    totals: Mapping[str, float]


@dataclass(slots=True)
class Stack:
    """The services of this installation: those of the run file of `perpstream up`, else those that were named."""

    state_dir: Path | None = None
    named: tuple[tuple[str, str], ...] = ()
    _counted: dict[str, _Counted] = field(default_factory=dict)

    def watched(self) -> list[Watched]:
        """Who is asked."""
        if self.named:
            return [Watched(name, url) for name, url in self.named]
        run = None if self.state_dir is None else read_run_file(self.state_dir)
        if run is None or process_of(run.supervisor_pid, run.supervisor_started_at) is None:
            return []
        return [Watched(one.name, one.health_url, one.pid, one.started_at, one.restarts) for one in run.services]

    async def look(self) -> list[Seen]:
        """Ask all of them at the same time; who does not answer within two seconds is not ready."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            return list(await asyncio.gather(*(self._ask(session, one) for one in self.watched())))

    async def _ask(self, session: aiohttp.ClientSession, one: Watched) -> Seen:
        memory, alive = await asyncio.to_thread(_memory, one)
        ready, missing, lag = (
            (alive or None, {}, None) if one.health_url is None else await _readiness(session, one.health_url)
        )
        version, totals = (None, None) if one.health_url is None else await _metrics(session, one.health_url)
        return Seen(
            name=one.name,
            ready=ready,
            missing=missing,
            version=version,
            uptime_seconds=round(time.time() - one.started_at, 1) if alive and one.started_at else None,
            memory_bytes=memory,
            restarts=one.restarts,
            lag_records=lag,
            per_second={} if totals is None else self._pace(one.name, totals),
        )

    def _pace(self, name: str, totals: Mapping[str, float]) -> dict[str, float]:
        now, before = time.monotonic(), self._counted.get(name)
        self._counted[name] = _Counted(now, totals)
        if before is None or now <= before.at:
            return {}
        # A service that began anew counts from 0 again.
        paces = {key: (value - before.totals.get(key, 0.0)) / (now - before.at) for key, value in totals.items()}
        return {key: round(pace, 3) for key, pace in paces.items() if pace >= 0}


async def _readiness(session: aiohttp.ClientSession, url: str) -> tuple[bool, dict[str, str], int | None]:
    try:
        async with session.get(f"{url}/readyz") as answer:
            said = msgspec.json.decode(await answer.content.read(_LARGEST_BYTES), type=_Readiness)
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError, ValueError):
        return False, {"endpoint": "does not answer"}, None
    lag = said.details.get("lag_records")
    return answer.status == 200, said.missing, lag if isinstance(lag, int) else None


async def _metrics(session: aiohttp.ClientSession, url: str) -> tuple[str | None, dict[str, float] | None]:
    try:
        async with session.get(f"{url}/metrics") as answer:
            text = (await answer.read()).decode()
        return await asyncio.to_thread(_parsed, text)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None, None


def _parsed(text: str) -> tuple[str | None, dict[str, float]]:
    version, totals = None, dict[str, float]()
    for family in text_string_to_metric_families(text):
        if family.name == "perpstream_service_info":
            version = next((sample.labels.get("version") for sample in family.samples), None)
        elif (name := THROUGHPUT.get(family.name)) is not None:
            totals[name] = sum(sample.value for sample in family.samples if sample.name.endswith("_total"))
    return version, totals


def _memory(one: Watched) -> tuple[int | None, bool]:
    """Its memory with that of its children, and whether it runs."""
    process = process_of(one.pid, one.started_at)
    if process is None:
        return None, False
    total = 0
    with suppress(psutil.Error):
        total = sum(map(_share, [process, *process.children(recursive=True)]))
    return total or None, True


def _share(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def named_services(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """NAME=URL of each; raises `ValueError` for what is none."""
    pairs = [word.partition("=") for word in words]
    if bad := [
        name for name, equals, url in pairs if not (name and equals and url.startswith(("http://", "https://")))
    ]:
        raise ValueError(f"{bad[0]!r} is not NAME=URL")
    return tuple((name, url.rstrip("/")) for name, _, url in pairs)
