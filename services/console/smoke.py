"""`perpstream smoke`: a fresh stack on free ports, and proof that a fact travels from the exchange to the API."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import aiohttp
from rich.table import Table

from infra.local.options import PortName
from infra.local.runfile import RunFile, read_run_file, running_stack
from libs.contracts.codec import decode_as
from libs.contracts.signals import IndicatorComputed, StrategyScore
from libs.contracts.topics import AGGTRADE, SIGNAL_INDICATOR, SIGNAL_SCORED, TIMELINE
from libs.kit.errors import BadMessage, UnreachableError, UserError
from libs.kit.settings import DatabaseSettings
from libs.store.counts import count_rows
from libs.store.engine import create_engine, read_session
from libs.streaming.records import LogReader
from services.console.health import ask_everything
from services.console.launching import end, start_supervisor, wait_until
from services.console.output import console
from services.console.watch.words import score_words

Look = Callable[[RunFile], Awaitable[str | None]]
_SAID_EVERY_SECONDS = 15.0
_LAST_EVALUATIONS = 40
_TABLES = ("agg_trades", "signal_indicators", "signal_logs")


@dataclass(slots=True)
class Hop:
    """One place a fact must reach: `look` says what it saw there, or None."""

    name: str
    look: Look
    seen: str | None = None
    after_seconds: float | None = None


def run_smoke(symbols: tuple[str, ...], timeout_seconds: float, keep: bool) -> bool:
    """Run it; prints the table and returns whether every hop was seen in time."""
    folder = Path(tempfile.mkdtemp(prefix="perpstream-smoke-"))
    arguments = ["up", "--state-dir", str(folder), "--symbols", ",".join(symbols)]
    for name in get_args(PortName):
        arguments += ["--port", f"{name}=0"]
    screen = console()
    began = time.monotonic()
    supervisor = start_supervisor(folder, arguments, tied=True)
    hops = _hops(symbols)
    try:
        wait_until(folder, supervisor, ("prepared", "ready"))
        screen.print(f"servers, schema and topics after {time.monotonic() - began:.1f} s; state in {folder}")
        asyncio.run(_look_until_seen(folder, hops, (began, timeout_seconds)))
    finally:
        stopping = time.monotonic()
        end(supervisor)
        stopped = time.monotonic() - stopping
    passed = all(hop.seen is not None for hop in hops)
    screen.print(_table(hops))
    screen.print(f"stopped in {stopped:.1f} s; {'every hop was seen' if passed else 'NOT every hop was seen'}")
    if passed and not keep:
        _remove(folder)
    else:
        screen.print(f"logs in {folder / 'logs'}")
    return passed


async def _look_until_seen(state_dir: Path, hops: list[Hop], span: tuple[float, float]) -> None:
    began, timeout_seconds = span
    said = time.monotonic()
    while time.monotonic() - began < timeout_seconds:
        run = read_run_file(state_dir) or running_stack(state_dir)
        for hop in hops:
            if hop.seen is not None:
                continue
            with suppress(UnreachableError, aiohttp.ClientError, TimeoutError):
                hop.seen = await hop.look(run)
            if hop.seen is not None:
                hop.after_seconds = time.monotonic() - began
                console().print(f"{hop.after_seconds:6.1f} s  {hop.name}: {hop.seen}")
        if all(hop.seen is not None for hop in hops):
            return
        if time.monotonic() - said > _SAID_EVERY_SECONDS:
            said = time.monotonic()
            waited_for = ", ".join(hop.name for hop in hops if hop.seen is None)
            console().print(f"{said - began:6.1f} s  waiting for {waited_for}{await _why_no_signal(run, hops)}")
        running_stack(state_dir)  # ends the wait at once when the stack has died
        await asyncio.sleep(0.5)


async def _why_no_signal(run: RunFile, hops: list[Hop]) -> str:
    """What the scores say, once they are made and as long as none has crossed its threshold."""
    seen = {hop.name: hop.seen is not None for hop in hops}
    if not seen[f"topic {SIGNAL_INDICATOR.name}"] or seen[f"topic {SIGNAL_SCORED.name}"]:
        return ""
    best = None
    with suppress(UnreachableError, TimeoutError, BadMessage):
        best = await _best_score(run.kafka_bootstrap)
    words = "a score must cross its threshold"
    return f": {words}" if best is None else f": {words}; best so far {score_words(*best)}"


async def _best_score(bootstrap: str) -> tuple[str, StrategyScore] | None:
    """The symbol and its score that lacked least to its threshold in the newest evaluations of every partition."""
    found: list[tuple[str, StrategyScore]] = []
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(SIGNAL_INDICATOR.name):
            end = await log.end(SIGNAL_INDICATOR.name, partition)
            start = max(0, end - _LAST_EVALUATIONS)
            async for batch in log.range(SIGNAL_INDICATOR.name, partition, start, end):
                for record in batch:
                    event = decode_as(IndicatorComputed, record.value)
                    found += [(event.symbol, score) for score in event.scores]
    return min(found, key=lambda item: item[1].threshold - item[1].score, default=None)


def _hops(symbols: tuple[str, ...]) -> list[Hop]:
    return [
        Hop("all services ready", _all_ready),
        *(Hop(f"topic {topic.name}", _records(topic.name)) for topic in (AGGTRADE, TIMELINE)),
        *(Hop(f"topic {topic.name}", _records(topic.name)) for topic in (SIGNAL_INDICATOR, SIGNAL_SCORED)),
        *(Hop(f"table {name}", _rows(name)) for name in _TABLES),
        Hop("API /api/health", answers("/api/health")),
        Hop("API /api/trades/meta", answers("/api/trades/meta", mentions=symbols[0])),
        Hop("API /api/signals/history", answers("/api/signals/history", mentions="score")),
    ]


async def _all_ready(run: RunFile) -> str | None:
    state_dir = Path(run.services[0].log_file).parent.parent if run.services else None
    if run.state != "ready" or state_dir is None:
        return None
    report = await ask_everything(state_dir)
    return f"{len(report.services)} processes, {report.memory_mb:.0f} MB" if report.ready else None


def _records(topic: str) -> Look:
    async def look(run: RunFile) -> str | None:
        async with LogReader(run.kafka_bootstrap) as log:
            total = sum([await log.end(topic, partition) for partition in await log.partitions(topic)])
        return f"{total} records" if total else None

    return look


def _rows(table: str) -> Look:
    async def look(run: RunFile) -> str | None:
        password = Path(run.database_password_file) if run.database_password_file else None
        settings = DatabaseSettings(database_url=run.database_url, database_password_file=password)
        engine = create_engine(settings, application="perpstream-smoke", connections=1)
        try:
            async with read_session(engine) as session:
                count = (await count_rows(session, [table]))[table]
        finally:
            await engine.dispose()
        return f"{count} rows" if count else None

    return look


def answers(path: str, mentions: str = "") -> Look:
    """Whether the API answers, as the local viewer asks it, with a text that mentions this."""

    async def look(run: RunFile) -> str | None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(run.gateway_url, timeout=timeout) as session:
            async with session.post("/api/auth/local", json={"given_to": "program"}) as signed_in:
                tokens = (await signed_in.json(content_type=None)).get("tokens", {})
            sent = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
            async with session.get(path, headers=sent) as answer:
                text = await answer.text()
        return f"{answer.status}, {len(text)} bytes" if answer.status == 200 and mentions in text else None

    return look


def _table(hops: list[Hop]) -> Table:
    table = Table("hop", "seen", box=None, pad_edge=False, title="smoke")
    table.add_column("after s", justify="right")
    for hop in hops:
        after = "–" if hop.after_seconds is None else f"{hop.after_seconds:.1f}"
        table.add_row(hop.name, hop.seen or "[red]not seen[/red]", after)
    return table


def _remove(folder: Path) -> None:

    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise UserError(
            f"the smoke test's state cannot be removed: {error}", where=str(folder), todo="remove it"
        ) from None
