"""`perpstream pnl reconcile`: what an account has booked against the venue's income statement, to the cent."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from libs.kit.errors import UserError
from libs.store.live_profit import booked_and_stated, known_statement
from libs.trading.statement import StatementDay, compare
from services.console.database import with_engine
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json
from services.console.profit import FIRST, LAST, require_account
from services.console.time_options import refuse_empty, utc
from services.console.watch.words import number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

EXAMPLES = "Examples: `perpstream pnl reconcile --account main`, `… reconcile --account main --from 2026-11-28 --json`"
_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class _Reconciled:
    """The span that was compared, and its days."""

    start: dt.datetime
    stop: dt.datetime
    days: list[StatementDay]

    @property
    def differing(self) -> list[StatementDay]:
        return [day for day in self.days if day.agrees is False]


def reconcile(
    account: Annotated[str, typer.Option(help="The live account")],
    start: Annotated[dt.datetime | None, typer.Option("--from", parser=utc, metavar="TIME", help="UTC")] = None,
    stop: Annotated[
        dt.datetime | None, typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included")
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare booked profit, fees and funding with the venue's statement, line by line, and say per day and kind what differs.

    Ends with 1 when something differs by half a cent or more. The executor reads the statement some minutes after the fact.
    """
    first, last = start or FIRST, stop or LAST
    refuse_empty(first, last)

    async def work(engine: "AsyncEngine") -> _Reconciled:
        await require_account(engine, account)
        known = await known_statement(engine, account)
        if known is None or max(first, known.start) >= min(last, known.stop):
            raise UserError(
                "nothing of the venue's statement is known there",
                where=account,
                todo="let the executor run: it reads the statement"
                if known is None
                else _known(known.start, known.stop),
            )
        begin, end = max(first, known.start), min(last, known.stop)
        return _Reconciled(begin, end, compare(await booked_and_stated(engine, account, begin, end)))

    found = with_engine(state_dir, work)
    if as_json:
        print_json(as_data(found))
    else:
        _print(found)
    if found.differing:
        raise typer.Exit(EXIT_FAILED)


def as_data(found: _Reconciled) -> dict[str, Any]:
    """For scripts: amounts as text, so that none is rounded."""
    return {"from": found.start, "to": found.stop, "agrees": not found.differing} | {
        "days": [asdict(day) for day in found.days]
    }


def _known(start: dt.datetime, stop: dt.datetime) -> str:
    return f"it is known from {start:%Y-%m-%d %H:%M:%S}Z to {stop:%Y-%m-%d %H:%M:%S}Z"


def _print(found: _Reconciled) -> None:
    screen = console()
    screen.print(f"the statement {_known(found.start, found.stop).removeprefix('it ')}")
    if not found.days:
        screen.print("neither the venue nor our books say anything of this span")
        return
    screen.print(days_table(found.days))
    if found.differing:
        screen.print(Text("\nwhat differs:"))
        screen.print(lines_table(found.differing))
    else:
        screen.print("everything agrees to the cent")


def days_table(days: list[StatementDay]) -> Table:
    """A row a day, kind and asset."""
    table = Table("day", "kind", "asset", box=None, pad_edge=False)
    for name in ("statement", "books", "difference"):
        table.add_column(name, justify="right")
    table.add_column("")
    for day in days:
        verdict = {True: Text("agrees"), False: Text("differs", style="red"), None: Text("not trading", style="dim")}
        gap = "" if day.agrees is None else number(day.booked - day.stated, 8, signed=True)
        amounts = [number(day.stated, 8, signed=True), number(day.booked, 8, signed=True)]
        table.add_row(str(day.day), day.kind, day.asset, *amounts, gap, verdict[day.agrees])
    return table


def lines_table(days: list[StatementDay]) -> Table:
    """The largest differences of each day and kind, by the venue's trade id, or the transaction of a line without one."""
    table = Table("time", "kind", "symbol", "reference", "trade", box=None, pad_edge=False)
    for name in ("statement", "books"):
        table.add_column(name, justify="right")
    for day in days:
        largest = sorted(day.differing, key=lambda pair: -abs(pair.difference))
        for pair in largest[:_MOST_LINES]:
            amounts = [
                "missing" if value is None else number(value, 8, signed=True) for value in (pair.stated, pair.booked)
            ]
            when = f"{pair.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}Z"
            table.add_row(when, pair.kind, pair.symbol, pair.reference, pair.trade_id or "", *amounts)
        if len(largest) > _MOST_LINES:
            table.add_row("", f"and {len(largest) - _MOST_LINES} more of {day.kind}")
    return table
