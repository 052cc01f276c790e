"""`perpstream data`: what is stored, whether it is complete, and the ways in and out."""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.console import data_export, data_import, data_replay
from services.console.database import with_engine
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json
from services.console.time_options import refuse_empty, refuse_impossible, utc

if TYPE_CHECKING:
    from libs.store.repair import RepairedGap
    from libs.store.verification import Gap, Verification

app = typer.Typer(help="Stored market data: import, verify, repair, export, publish again.", no_args_is_help=True)
_SHOWN_GAPS = 20


@app.callback()
def data() -> None:
    """Stored market data: import, verify, repair, export, publish again."""


app.command(
    "import",
    epilog="Examples: `perpstream data import BTCUSDT-aggTrades-2024-08.zip`, `perpstream data import archive/ --allow-gaps`",
)(data_import.import_files)
app.command(epilog="Example: `perpstream data export parquet --from 2024-08-01 --to 2024-09-01 --symbols BTCUSDT`")(
    data_export.export
)
app.command(epilog="Example: `perpstream data replay --from 2024-08-08T12:00 --to 2024-08-08T13:00 --symbols BTCUSDT`")(
    data_replay.replay
)


@app.command(
    epilog="Examples: `perpstream data verify BTCUSDT`, `perpstream data verify BTCUSDT --from 2026-11-01 --to 2026-12-01 --json`"
)
def verify(
    symbol: Annotated[str, typer.Argument(help="A perpetual, like BTCUSDT")],
    start: Annotated[
        dt.datetime | None,
        typer.Option(
            "--from", parser=utc, metavar="TIME", help="UTC, like 2026-11-01; by default 24 hours before the end"
        ),
    ] = None,
    stop: Annotated[
        dt.datetime | None,
        typer.Option(
            "--to",
            parser=utc,
            metavar="TIME",
            help="UTC, not included; a date alone is its 00:00; by default just behind the newest stored trade",
        ),
    ] = None,
    repair: Annotated[
        str | None,
        typer.Option(metavar="venue|PATH", help="Fetch missing trades from the venue, or read them from archive files"),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Read every stored trade of a symbol: missing and doubled ids, time that goes backwards, completeness per day.

    Ids that are known never to have existed stand in a column of their own and lower nothing.
    With --repair, what is missing is looked for first, written into the tables, and each gap is closed; the timeline stays.
    Exit code 0 when nothing is wrong, 1 when something is or nothing is stored.
    """
    from libs.store.verification import verify as ask_the_rows

    since, until = _span(state_dir, symbol.upper(), start, stop)
    repairs: list[RepairedGap] = []
    if repair is not None:
        from services.console.data_repair import repair_span

        repairs = repair_span(state_dir, repair, (symbol.upper(), since, until))
    # On standard error, so that a table or JSON can be piped while people see that something happens.
    with Console(stderr=True).status(Text(f"reading the trades of {symbol.upper()}")):
        found = with_engine(state_dir, lambda engine: ask_the_rows(engine, symbol.upper(), since, until))
    if as_json:
        print_json({**_facts(found), "repairs": repairs})
    else:
        for end in repairs:
            text = f"filled {end.filled}, never existed {end.never_existed}, lost {end.lost}"
            console().print(f"repair of {end.first_id} to {end.last_id}: {end.outcome} ({text})")
        _print(found)
    if not found.sound:
        raise typer.Exit(EXIT_FAILED)


def _span(
    state_dir: StateDir, symbol: str, start: dt.datetime | None, stop: dt.datetime | None
) -> tuple[dt.datetime, dt.datetime]:
    """What was asked for, or the day before the newest stored trade: our clock says nothing about an accelerated venue's time,
    nor about an imported history."""
    from libs.store.verification import newest_trade

    refuse_impossible(start, stop)
    if stop is None:
        newest = with_engine(state_dir, lambda engine: newest_trade(engine, symbol))
        stop = newest + dt.timedelta(milliseconds=1) if newest is not None else dt.datetime.now(dt.UTC)
    since = start if start is not None else stop - dt.timedelta(days=1)
    refuse_empty(since, stop)
    return since, stop


def _facts(found: "Verification") -> dict[str, object]:
    days = [{**msgspec.to_builtins(day), "completeness_ppm": day.completeness_ppm} for day in found.days]
    facts: dict[str, object] = msgspec.to_builtins(found)
    return {**facts, "days": days, "sound": found.sound}


def _print(found: "Verification") -> None:
    screen = console()
    span = f"{found.symbol} from {found.start:%Y-%m-%d %H:%M}Z to {found.stop:%Y-%m-%d %H:%M}Z"
    if not found.days:
        screen.print(f"{span}: no trade is stored", markup=False)
        return
    # In two lines where a word is longer than its numbers: all of it stands in 80 columns, ids of ten digits too.
    table = Table(title=Text(span), box=None, pad_edge=False, collapse_padding=True)
    names = (
        "day",
        "rows",
        "first id",
        "last id",
        "missing",
        "never\nexisted",
        "doubled",
        "back-\nwards",
        "complete\n%",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "day" else "right", no_wrap=True)
    for day in found.days:
        gone = (day.missing, day.never_existed)
        counts = (day.rows, day.first_id, day.last_id, *gone, day.doubled, day.backwards)
        table.add_row(str(day.day), *map(str, counts), f"{day.completeness_ppm / 10_000:.4f}")
    screen.print(table)
    for gap in found.gaps[:_SHOWN_GAPS]:
        times = f"{gap.after:%Y-%m-%d %H:%M:%S} and {gap.before:%Y-%m-%d %H:%M:%S}Z"
        known = f"known as: {gap.cause}" if gap.cause else "nothing is known about it"
        screen.print(f"{_what(gap)}, between {times}; {known}", markup=False)  # a cause is anybody's word
    if len(found.gaps) > _SHOWN_GAPS:
        screen.print(f"and {len(found.gaps) - _SHOWN_GAPS} more gaps: see --json")
    screen.print("complete" if found.sound else "not complete")


def _what(gap: "Gap") -> str:
    ids = f"{gap.first_id} to {gap.last_id}"
    if gap.missing == 0:
        return f"never existed: {ids}"
    return f"missing {ids}" + (f", {gap.never_existed} of them never existed" if gap.never_existed else "")
