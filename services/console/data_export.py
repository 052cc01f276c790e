"""`perpstream data export`: stored data into Parquet files."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libs.kit.errors import UserError
from services.console.database import with_engine
from services.console.file_progress import file_progress
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_error, print_json
from services.console.time_options import Start, Stop, refuse_empty

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.slow_rows import SlowTable
    from services.console.history.parquet import ExportedFile, Exporter, ExportSpan

_SLOW: "dict[str, SlowTable]" = {
    "liquidations": "liquidation_events",
    "indicators": "market_indicators",
    "mark_prices": "rate_snapshots",
    "funding": "funding_rates",
}
_TABLES = ("trades", *_SLOW)


def export(
    folder: Annotated[Path, typer.Argument(help="Where the files go; it is made when it is not there")],
    start: Start,
    stop: Stop,
    symbols: Annotated[str, typer.Option(help="Comma separated; by default all")] = "",
    tables: Annotated[str, typer.Option(help=f"Some of {', '.join(_TABLES)}")] = ",".join(_TABLES),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Write stored trades, liquidations, slow inputs, mark prices and settled rates to Parquet files, by symbol and UTC day.

    Whole days: --from 2024-08-01 --to 2024-09-01 is August. Files of days that are there already are replaced; each appears
    whole or not at all. Exit code 1 when nothing is stored there, and when a row fits no file: which is said, and the others are
    written.
    """
    from services.console.history.parquet import Exporter, ExportSpan

    wanted, named = split_words(tables), split_words(symbols.upper())
    if unknown := set(wanted) - set(_TABLES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))} cannot be exported", param_hint="--tables")
    refuse_empty(start, stop)
    for at, option in ((start, "--from"), (stop, "--to")):
        if at.time() != dt.time():
            raise typer.BadParameter("whole UTC days are exported: name a date", param_hint=option)
    span = ExportSpan(start, stop)
    with file_progress(as_json) as progress:

        async def work(engine: "AsyncEngine") -> "tuple[list[ExportedFile], list[UserError]]":
            await require_stored(engine, named)
            exporter = Exporter(engine, folder, progress)
            return await _export(exporter, span, wanted, named), exporter.left_out

        files, left_out = with_engine(state_dir, work)
    if as_json:
        print_json(files)
    for file in () if as_json else files:
        console().print(f"{file.path}: {file.rows} rows, {file.bytes / 1e6:.1f} MB", markup=False)
    for error in left_out:
        print_error(error)
    if left_out:
        raise typer.Exit(EXIT_FAILED)
    if not files:
        where = f"{start:%Y-%m-%d} to {stop:%Y-%m-%d}, not included"
        raise UserError("nothing is stored there", where=where, todo="see `perpstream db query` on agg_trades_meta")


async def _export(
    exporter: "Exporter", span: "ExportSpan", tables: list[str], symbols: list[str]
) -> "list[ExportedFile]":
    from libs.store.reading import traded_symbols

    files: list[ExportedFile] = []
    if "trades" in tables:
        for symbol in symbols or await traded_symbols(exporter.engine):
            files += [file async for file in exporter.trades(symbol, span)]
    for name, table in _SLOW.items():
        if name in tables:
            files += [file async for file in exporter.slow(table, symbols, span)]
    return files


async def require_stored(engine: "AsyncEngine", symbols: list[str]) -> None:
    """Raise `UserError` that names the symbols there are, when something named is not among them."""
    from libs.store.reading import stored_symbols

    if symbols and (unknown := sorted(set(symbols) - set(known := await stored_symbols(engine)))):
        todo = f"known symbols: {', '.join(known) or 'none'}"
        raise UserError(f"nothing is stored of {', '.join(unknown)}", where="--symbols", todo=todo)


def split_words(text: str) -> list[str]:
    """Words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]
