"""`perpstream data import`: archive files into the tables, and a line for each of them at the end, however it ends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from libs.kit.errors import UserError
from services.console.database import with_engine
from services.console.file_progress import file_progress
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json

if TYPE_CHECKING:
    from services.console.history.importing import FileReport, FileState

_SHOWN_FILES = 3
_WORDS: "dict[FileState, str]" = {
    "imported": "imported",
    "resumed": "went on",
    "known": "already there",
    "broken": "broken",
    "interrupted": "interrupted",
    "not_reached": "not reached",
}


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

    A file that was cut off goes on where it stopped; a file that is imported adds nothing. A broken file does not stop the
    others. Exit code 1 when one is broken, or contradicts what is stored: the first of each row stays.
    """
    from libs.store.archives import find_archives
    from services.console.history.importing import Importer, ImportOptions, planned

    archives, skipped = find_archives(paths, symbol)
    where = Console(stderr=True, highlight=False, soft_wrap=True)
    if skipped:
        where.print(_skipped(skipped), markup=False)
    reports = planned(archives)
    options = ImportOptions(market, allow_gaps, again)
    try:
        with file_progress(as_json) as progress:
            with_engine(state_dir, lambda engine: Importer(engine, options, progress).run(archives, reports))
    except (KeyboardInterrupt, UserError) as error:
        if any(report.state != "not_reached" for report in reports):
            _print(reports, as_json)
        if isinstance(error, KeyboardInterrupt):
            where.print("perpstream: interrupted; what is written stays, and the same command goes on from there")
        raise
    _print(reports, as_json)
    _refuse_contradictions(reports)
    if any(report.state == "broken" for report in reports):
        raise typer.Exit(EXIT_FAILED)


def _refuse_contradictions(reports: "list[FileReport]") -> None:
    """Raises `UserError` when a row is stored with other content: two extracts that each count from 1, say."""
    files = [report.file for report in reports if report.conflicts]
    if files:
        more = f" and {_count(len(files) - _SHOWN_FILES, 'more file')}" if len(files) > _SHOWN_FILES else ""
        raise UserError(
            f"{_count(sum(report.conflicts for report in reports), 'row')} contradict what is stored; the first of each stays",
            where=", ".join(files[:_SHOWN_FILES]) + more,
            todo="import files that contradict each other into databases of their own (`perpstream db create NAME`)",
        )


def _skipped(files: list[Path]) -> str:
    names = ", ".join(file.name for file in files[:_SHOWN_FILES])
    more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
    return f"skipped, because no archive: {_count(len(files), 'file')} ({names}{more})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _print(reports: "list[FileReport]", as_json: bool) -> None:
    if as_json:
        print_json(reports)
        return
    screen = console()
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("what", no_wrap=True)
    for name in ("rows", "added", "known"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        table.add_row(Text(report.file), _WORDS[report.state], *map(str, (report.rows, report.added, report.known)))
    screen.print(table)
    for report in reports:
        for remark in _remarks(report):
            screen.print(f"{report.file}: {remark}", markup=False)
    if checked := sum(report.checksum for report in reports):
        screen.print(f"checksums that fit: {checked}")
    rows, seconds = sum(report.rows for report in reports), sum(report.seconds for report in reports)
    if rows and seconds:
        screen.print(f"{rows} rows read in {seconds:.1f} s, {rows / seconds:,.0f} a second")


def _remarks(report: "FileReport") -> list[str]:
    """What a person should know of a file beside its counts."""
    said = [report.problem] if report.problem else []
    if report.missing and report.kind == "trades":
        said.append(f"missing in it: {_count(report.missing, 'id')}, written down as {_count(report.gaps, 'new gap')}")
    elif report.missing:
        said.append(f"missing in it: {_count(report.missing, 'bar')}")
    if report.conflicts:
        said.append(f"known with other content: {_count(report.conflicts, 'row')}")
    if report.backwards:
        said.append(f"time goes backwards: {_count(report.backwards, 'time')}")
    if report.refused:
        said.append(f"left out: {_count(report.refused, 'line')}")
    return said + [f"line {line} left out: {why}" for line, why in report.refused_lines]
