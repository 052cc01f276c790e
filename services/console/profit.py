"""`perpstream pnl`: profit of closed paper trades by day, week, month, strategy, symbol or exit reason."""

import datetime as dt
from dataclasses import asdict
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from libs.store.paper_questions import Profit, ProfitRange, paper_profit
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json
from services.console.time_options import refuse_empty, utc
from services.console.watch.words import direction, number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

app = typer.Typer(invoke_without_command=True, help="Profit and loss of closed paper trades.")
_FIRST, _LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 12, 31, tzinfo=dt.UTC)


class Side(StrEnum):
    """By what trades are added up."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    STRATEGY = "strategy"
    SYMBOL = "symbol"
    REASON = "reason"


@app.callback(
    epilog="Examples: `perpstream pnl`, `perpstream pnl --by strategy --from 2026-11-01`, `perpstream pnl --by reason --json`"
)
def pnl(
    by: Annotated[
        Side, typer.Option(help="Exits by UTC day, ISO week, month, strategy, symbol or exit reason")
    ] = Side.DAY,
    strategy: Annotated[str | None, typer.Option(help="Of this strategy alone")] = None,
    start: Annotated[
        dt.datetime | None, typer.Option("--from", parser=utc, metavar="TIME", help="UTC; of exits")
    ] = None,
    stop: Annotated[
        dt.datetime | None, typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included; of exits")
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """What closed paper trades made: net = gross - fees - slippage - funding, in quote units and in R."""
    asked = ProfitRange(start or _FIRST, stop or _LAST, strategy)
    refuse_empty(asked.start, asked.stop)

    async def work(engine: "AsyncEngine") -> list[Profit]:
        return await paper_profit(engine, by.value, asked)

    found = with_engine(state_dir, work)
    if as_json:
        print_json([asdict(row) for row in found])
    elif not found:
        console().print("no paper trade was closed in this range")
    else:
        console().print(profit_table(by.value, found))


def profit_table(by: str, rows: list[Profit]) -> Table:
    """A row each, and their sum."""
    table = Table(by, box=None, pad_edge=False, show_footer=True)
    columns = ("trades", "won", "gross", "fees", "slippage", "funding", "net", "R")
    total = _total(rows)
    table.columns[0].footer = total.name
    for name, cell in zip(columns, _cells(total), strict=True):
        table.add_column(name, justify="right", footer=cell)
    for row in rows:
        table.add_row(row.name, *_cells(row))
    return table


def _cells(row: Profit) -> list[str | Text]:
    costs = [number(-value, 2, signed=True) for value in (row.fees, row.slippage, row.funding)]
    net = direction(float(row.net), number(row.net, 2, signed=True))
    share = direction(row.net_r, number(row.net_r, 2, signed=True))
    return [str(row.trades), str(row.won), number(row.gross, 2, signed=True), *costs, net, share]


def _total(rows: list[Profit]) -> Profit:
    sums = {
        name: sum((getattr(row, name) for row in rows), Decimal(0))
        for name in ("net", "gross", "fees", "slippage", "funding")
    }
    return Profit(
        name="all",
        trades=sum(row.trades for row in rows),
        won=sum(row.won for row in rows),
        net_r=sum(row.net_r for row in rows),
        **sums,
    )
