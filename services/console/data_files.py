"""The commands of `perpstream data` that read or write files."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.console.history.importing import FileReport
    from services.console.history.parquet import ExportedFile, Exporter, ExportSpan

_TABLES = ("trades", "liquidations", "indicators")


class FileProgress:
    """One bar on standard error for the file in hand; nothing when scripts read our JSON."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def start(self, file: str, what: str, total: int) -> None:
        """Another file, or another pass over it; `total` in bytes."""
        self._bar.reset(self._task, total=total, description=f"{what} {file}")

    def move(self, done: int) -> None:
        """`done` bytes of it."""
        self._bar.update(self._task, completed=done)


@contextmanager
def file_progress(quiet: bool) -> Iterator[FileProgress]:
    """A progress bar inside the block."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, quiet=quiet), transient=True, disable=quiet) as bar:
        yield FileProgress(bar)


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="csv, zip and gz files, or folders of them")],
    symbol: Annotated[str | None, typer.Option(help="Instead of the symbol in the file names")] = None,
    market: Annotated[
        str, typer.Option(help="Whose facts these are; must be the market that the database belongs to")
    ] = "venue binance",
    allow_gaps: Annotated[
        bool,
        typer.Option("--allow-gaps", help="Record missing ids and leave unreadable lines out, instead of refusing"),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Compare files that are imported already once more with the tables")
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Import archive files: aggregate trades, klines and funding rates, verified while they are read.

    A file that was cut off goes on where it stopped; a file that is imported adds nothing. Exit code 1 when a file is broken.
    """
    from services.console.history.archives import find_archives
    from services.console.history.importing import Importer, ImportOptions

    archives = find_archives(paths, symbol)
    with file_progress(as_json) as progress:

        async def work(engine: "AsyncEngine") -> "list[FileReport]":
            return await Importer(engine, ImportOptions(market, allow_gaps, again), progress).run(archives)

        reports = with_engine(state_dir, work)
    if as_json:
        print_json(reports)
        return
    _print(reports)


def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; it is made when it is not there")],
    start: Annotated[dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day")],
    stop: Annotated[dt.datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, included")],
    symbols: Annotated[str, typer.Option(help="Comma separated; by default all")] = "",
    tables: Annotated[str, typer.Option(help="Some of trades, liquidations, indicators")] = ",".join(_TABLES),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Write stored trades, liquidations and slow inputs to Parquet files, by symbol and UTC day.

    Files of days that are there already are replaced; each appears whole or not at all.
    """
    from services.console.history.parquet import Exporter, ExportSpan

    wanted, named = split_words(tables), split_words(symbols.upper())
    if unknown := set(wanted) - set(_TABLES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))} cannot be exported", param_hint="--tables")
    if start > stop:
        raise typer.BadParameter("it is after --to", param_hint="--from")
    span = ExportSpan(start.date(), stop.date())
    with file_progress(as_json) as progress:

        async def work(engine: "AsyncEngine") -> "list[ExportedFile]":
            exporter = Exporter(engine, folder, progress)
            return await _export(exporter, span, wanted, named)

        files = with_engine(state_dir, work)
    if as_json:
        print_json(files)
        return
    for file in files:
        console().print(f"{file.path}: {file.rows} rows, {file.bytes / 1e6:.1f} MB", markup=False)
    if not files:
        console().print("nothing is stored there")


async def _export(
    exporter: "Exporter", span: "ExportSpan", tables: list[str], symbols: list[str]
) -> "list[ExportedFile]":
    from libs.store.reading import traded_symbols

    files: list[ExportedFile] = []
    if "trades" in tables:
        for symbol in symbols or await traded_symbols(exporter.engine):
            files += [file async for file in exporter.trades(symbol, span)]
    if "liquidations" in tables:
        files += [file async for file in exporter.slow("liquidation_events", symbols, span)]
    if "indicators" in tables:
        files += [file async for file in exporter.slow("market_indicators", symbols, span)]
    return files


def split_words(text: str) -> list[str]:
    """Words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _print(reports: "list[FileReport]") -> None:
    table = Table("file", "what", box=None, pad_edge=False)
    for name in ("rows", "added", "known", "conflicts", "missing", "refused", "rows/s"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        counts = (report.rows, report.added, report.known, report.conflicts, report.missing, report.refused)
        rate = f"{report.rows / report.seconds:,.0f}" if report.seconds and report.rows else ""
        checked = ", checksum fits" if report.checksum else ""
        table.add_row(report.file, f"{report.state}{checked}", *map(str, counts), rate)
    screen = console()
    screen.print(table)
    for report in reports:
        for line, why in report.refused_lines:
            screen.print(f"{report.file}:{line} left out: {why}", markup=False)
        if report.backwards:
            screen.print(f"{report.file}: time goes backwards {report.backwards} times", markup=False)
