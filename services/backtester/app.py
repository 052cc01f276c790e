"""Wiring of a run: the request, its source, progress for people, the report. One process a run, so its memory ends with it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from libs.kit.errors import ConfigurationError, UserError
from libs.kit.interruption import EXIT_INTERRUPTED
from libs.kit.memory import keep_freed_memory
from libs.kit.settings import DatabaseSettings, KafkaSettings, load_settings
from services.backtester.reading import TableMarket
from services.backtester.report import print_report, report_json, write_report
from services.backtester.request import BacktestRequest, RequestInvalid, read_request
from services.backtester.runner import Run
from services.backtester.screen import progress, result_console
from services.backtester.sources import Market


def main(arguments: Sequence[str]) -> int:
    """Run the request in the named file ("-": standard input); returns the exit code. SIGTERM is taken like Ctrl-C."""
    keep_freed_memory()
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        values = _values(arguments)
        if (kind := values.pop("kind", "run")) != "run":
            # Here, because a single run need not load what sweeps are made of.
            from services.backtester.commands import run_command

            return run_command(kind, values)
        as_json = bool(values.pop("json", False))
        asyncio.run(_run(read_request(values), as_json=as_json))
    except UserError as error:
        errors.print(f"perpstream: {error.advice}", style="red", markup=False)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("perpstream: interrupted; nothing was written", style="yellow", markup=False)
        return EXIT_INTERRUPTED
    return 0


def _values(arguments: Sequence[str]) -> dict[str, Any]:
    if len(arguments) != 1:
        raise RequestInvalid(
            "one argument is needed: a file with the request, or -",
            where="services.backtester",
            todo="use perpstream backtest",
        )
    try:
        text = sys.stdin.read() if arguments[0] == "-" else Path(arguments[0]).read_text()
        values = json.loads(text)
    except (OSError, ValueError) as error:
        raise RequestInvalid(f"the request cannot be read: {error}", where=arguments[0], todo="write JSON") from None
    if not isinstance(values, dict):
        raise RequestInvalid("the request is no JSON object", where=arguments[0], todo="write JSON")
    return values


async def _run(request: BacktestRequest, *, as_json: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    async with open_source(request) as source:
        with progress(request) as shown:
            result = await Run(request, source, shown).run()
            shown.phase("writing the report")
            paths = write_report(result, request.output)
    if as_json:
        sys.stdout.buffer.write(report_json(result) + b"\n")
        return
    console = result_console()
    print_report(result, console)
    console.print(f"report: {paths.html}", markup=False)


@asynccontextmanager
async def open_source(request: BacktestRequest) -> AsyncIterator[Market]:
    """The source that the request names, closed afterwards."""
    if request.source == "parquet":
        from services.backtester.sources.parquet import ParquetSource

        assert request.path is not None
        if not request.path.is_dir():
            raise ConfigurationError(
                "there is no such folder", where=str(request.path), todo="name what `data export` has written"
            )
        yield TableMarket(ParquetSource(request.path))
        return
    if request.source == "archive":
        from services.backtester.sources.archive import ArchiveSource

        assert request.path is not None
        yield TableMarket(ArchiveSource([request.path], keep_going=request.allow_gaps))
        return
    if request.source == "recording":
        from services.backtester.sources.recording import open_recordings

        yield TableMarket(await asyncio.to_thread(open_recordings, request.recordings))
        return
    if request.source == "timeline":
        from services.backtester.sources.timeline import TimelineMarket

        yield TimelineMarket(load_settings(KafkaSettings).kafka_bootstrap)
        return
    from libs.store.engine import create_engine
    from services.backtester.sources.postgres import PostgresSource

    engine = create_engine(load_settings(DatabaseSettings))
    try:
        yield TableMarket(PostgresSource(engine, request.view))
    finally:
        await engine.dispose()
