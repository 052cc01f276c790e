"""The loop of the live screen: follow the topics, ask the services, draw twice a second."""

import asyncio
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live

from infra.local.runfile import RunFile, ServiceEntry, running_stack
from libs.contracts.codec import decode
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, MARKPRICE, SIGNAL_INDICATOR, SIGNAL_SCORED, TOPICS
from libs.kit.errors import BadMessage, UnreachableError, UserError
from libs.streaming.records import LogReader
from libs.streaming.tail import TailConsumer
from services.console.health import answers, ask, waits_for
from services.console.venues import SimulatorStatus
from services.console.watch.model import Rate, ServiceState, VenueClock, WatchModel
from services.console.watch.render import frame

FOLLOWED = (AGGTRADE.name, MARKPRICE.name, FEEDSTATUS.name, SIGNAL_INDICATOR.name, SIGNAL_SCORED.name)
ONCE_SECONDS = 90.0
_LOOK_BACK = 40
_DRAW_SECONDS, _ASK_SECONDS = 0.5, 2.0
_LAG_METRIC = "perpstream_consumer_lag_records"


async def run_watch(state_dir: Path, *, once: bool) -> None:
    """Show the screen until Ctrl-C or until the stack ends; `once` prints one frame as soon as every symbol has data.

    Raises `NotRunning`; with `once` a `UserError` when no data came in time.
    """
    run = running_stack(state_dir)
    model = WatchModel(venue=run.venue, page=run.gateway_url)
    for symbol in run.symbols:
        model.symbol(symbol)
    work: list[Coroutine[Any, Any, None]] = [
        _follow(run, model),
        _measure_topics(run, model),
        _ask_services(state_dir, model),
        _ask_venue(run, model),
    ]
    tasks = [asyncio.create_task(item) for item in work]
    try:
        await (_print_once(model, tasks) if once else _draw(model, tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _draw(model: WatchModel, tasks: list["asyncio.Task[None]"]) -> None:
    console = Console(highlight=False)
    with Live(console=console, screen=console.is_terminal, auto_refresh=False, transient=False) as live:
        while True:
            live.update(frame(model, console.width, time.monotonic(), console.height), refresh=console.is_terminal)
            await asyncio.sleep(_DRAW_SECONDS)
            _raise_first(tasks)


async def _print_once(model: WatchModel, tasks: list["asyncio.Task[None]"]) -> None:
    deadline = time.monotonic() + ONCE_SECONDS
    while not (model.has_data and model.services and model.topics):
        if time.monotonic() > deadline:
            silent = [name for name, state in model.symbols.items() if state.price is None or state.indicator is None]
            raise UserError(
                f"no data after {ONCE_SECONDS:g} s for {', '.join(silent)}",
                where="perpstream watch",
                todo="see `perpstream status`",
            )
        await asyncio.sleep(0.1)
        _raise_first(tasks)
    await asyncio.sleep(_ASK_SECONDS * 1.5)  # rates need two readings
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    console.print(frame(model, console.width, time.monotonic()))


def _raise_first(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _follow(run: RunFile, model: WatchModel) -> None:
    while True:
        with suppress(UnreachableError):  # the broker is being restarted
            async with TailConsumer(run.kafka_bootstrap, FOLLOWED, back=_LOOK_BACK) as tail:
                async for batch in tail.batches():
                    now = time.monotonic()
                    for record in batch:
                        try:
                            model.apply(decode(record.value, record.headers), now)
                        except BadMessage:
                            model.undecodable += 1
        await asyncio.sleep(1)


async def _measure_topics(run: RunFile, model: WatchModel) -> None:
    names = [topic.name for topic in TOPICS if topic.name.startswith(("market.", "signal."))]
    while True:
        with suppress(UnreachableError):
            async with LogReader(run.kafka_bootstrap) as log:
                partitions = {name: await log.partitions(name) for name in names}
                while True:
                    for name in names:
                        total = sum([await log.end(name, partition) for partition in partitions[name]])
                        model.topics.setdefault(name, Rate()).record(total, time.monotonic())
                    await asyncio.sleep(_ASK_SECONDS)
        await asyncio.sleep(1)


async def _ask_venue(run: RunFile, model: WatchModel) -> None:
    """Keep the venue's clock: the simulator's own (a recording's is another year, and may run faster), else this machine's."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            now, wall_ms = time.monotonic(), time.time_ns() // 1_000_000
            model.today = f"{datetime.fromtimestamp(wall_ms / 1000, UTC):%Y-%m-%d}"
            if run.simulator_url is None:
                model.venue_clock = VenueClock(now, wall_ms)
            else:
                with suppress(aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):  # it starts, or starts again
                    async with session.get(f"{run.simulator_url}/sim/status") as answer:
                        status = msgspec.json.decode(await answer.read(), type=SimulatorStatus)
                    model.venue_clock = VenueClock(time.monotonic(), status.venue_time_ms, status.pace)
                    model.recording_ended = status.ended
            await asyncio.sleep(_ASK_SECONDS)


async def _ask_services(state_dir: Path, model: WatchModel) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        answered: set[tuple[str, int | None]] = set()
        while True:
            run = running_stack(state_dir)
            for entry in run.services:
                model.services[entry.name] = await _service_state(session, entry, answered)
            await asyncio.sleep(_ASK_SECONDS)


async def _service_state(
    session: aiohttp.ClientSession, entry: ServiceEntry, answered: set[tuple[str, int | None]]
) -> ServiceState:
    """`answered`: names and process ids that have answered once; this call adds to it."""
    report = await ask(session, entry)
    one = (entry.name, report.pid)
    if report.pid is not None and answers(report):
        answered.add(one)
    return ServiceState(
        ready=bool(report.ready),
        running=report.pid is not None,
        waits_for=waits_for(report, answered_before=one in answered),
        restarts=report.restarts,
        lag=await _lag(session, entry.health_url) if report.pid is not None and entry.health_url else None,
    )


async def _lag(session: aiohttp.ClientSession, health_url: str) -> int | None:
    try:
        async with session.get(f"{health_url}/metrics") as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return None
    samples = [
        sample.value
        for family in text_string_to_metric_families(text)
        if family.name == _LAG_METRIC
        for sample in family.samples
    ]
    return int(sum(samples)) if samples else None
