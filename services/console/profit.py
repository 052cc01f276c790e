"""`perpstream pnl`: profit of closed trades, paper or live, by day, week, month, strategy, symbol or exit reason."""

import datetime as dt
from dataclasses import asdict
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from libs.kit.errors import ConfigurationError
from libs.store.live_profit import LiveProfit, live_profit
from libs.store.live_questions import leases
from libs.store.paper_questions import Profit, ProfitRange, paper_profit
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json
from services.console.time_options import refuse_empty, utc
from services.console.watch.words import UNKNOWN, direction, number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

app = typer.Typer(invoke_without_command=True, help="Profit and loss of closed trades, on paper or live.")
FIRST, LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 12, 31, tzinfo=dt.UTC)


class Side(StrEnum):
    """By what trades are added up."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    STRATEGY = "strategy"
    SYMBOL = "symbol"
    REASON = "reason"


@app.callback(
    epilog="Examples: `perpstream pnl`, `perpstream pnl --by strategy --from 2026-11-01`, `perpstream pnl --by reason --json`, "
    "`perpstream pnl --account main --by week`"
)
def pnl(
    context: typer.Context,
    by: Annotated[
        Side, typer.Option(help="Exits by UTC day, ISO week, month, strategy, symbol or exit reason")
    ] = Side.DAY,
    account: Annotated[
        str | None, typer.Option(help="Live trades of this account [default: paper]", show_default=False)
    ] = None,
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
    """What closed trades made, in quote units and in R: on paper (net = gross - fees - slippage - funding), or of a live account
    (net = gross - fees - funding; its prices have slippage in them)."""
    if context.invoked_subcommand is not None:
        return
    asked = ProfitRange(start or FIRST, stop or LAST, strategy)
    refuse_empty(asked.start, asked.stop)
    if account is not None:
        _print_live(with_engine(state_dir, partial(_live, account=account, by=by, asked=asked)), by, as_json)
        return
    found = with_engine(state_dir, partial(paper_profit, side=by.value, asked=asked))
    if as_json:
        print_json([asdict(row) for row in found])
    elif not found:
        console().print("no paper trade was closed in this range")
    else:
        console().print(profit_table(by.value, found))


async def _live(engine: "AsyncEngine", account: str, by: Side, asked: ProfitRange) -> list[LiveProfit]:
    await require_account(engine, account)
    return await live_profit(engine, account, by.value, asked)


async def require_account(engine: "AsyncEngine", account: str) -> None:
    """Raise `ConfigurationError` for an account that no executor has ever held: a misspelt name would look like one without
    trades."""
    known = [lease.account for lease in await leases(engine)]
    if account not in known:
        names = f"the accounts here are: {', '.join(known)}" if known else "no executor has run with this database yet"
        raise ConfigurationError("no executor has ever held this account", where=account, todo=names)


def _print_live(found: list[LiveProfit], by: Side, as_json: bool) -> None:
    if as_json:
        print_json([asdict(row) for row in found])
    elif not found:
        console().print("no live trade of this account was closed in this range")
    else:
        console().print(live_table(by.value, found))
        if unvalued := sum(row.fees_unvalued for row in found):
            console().print(f"{unvalued} fees in other assets have no value yet: they are missing in fees and net")
        if unmeasured := sum(row.without_r for row in found):
            console().print(f"{unmeasured} trades have no known risk: they are in net, and missing in R")


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


def live_table(by: str, rows: list[LiveProfit]) -> Table:
    """A row each, and their sum."""
    table = Table(by, box=None, pad_edge=False, show_footer=True)
    total = _live_total(rows)
    table.columns[0].footer = total.name
    columns = ("trades", "won", "gross", "fees", "funding", "net", "R", "slippage bps")
    for name, cell in zip(columns, _live_cells(total), strict=True):
        table.add_column(name, justify="right", footer=cell)
    for row in rows:
        table.add_row(row.name, *_live_cells(row))
    return table


def _live_total(rows: list[LiveProfit]) -> LiveProfit:
    net, gross, fees, funding = (
        sum((getattr(row, name) for row in rows), Decimal(0)) for name in ("net", "gross", "fees", "funding")
    )
    return LiveProfit(
        name="all",
        trades=sum(row.trades for row in rows),
        won=sum(row.won for row in rows),
        net=net,
        gross=gross,
        fees=fees,
        funding=funding,
        net_r=sum(row.net_r or 0.0 for row in rows),
        slippage_bps=None,
        fees_unvalued=sum(row.fees_unvalued for row in rows),
        without_r=sum(row.without_r for row in rows),
    )


def _live_cells(row: LiveProfit) -> list[str | Text]:
    costs = [number(-value, 2, signed=True) for value in (row.fees, row.funding)]
    net = direction(float(row.net), number(row.net, 2, signed=True))
    share = UNKNOWN if row.net_r is None else direction(row.net_r, number(row.net_r, 2, signed=True))
    slipped = UNKNOWN if row.slippage_bps is None else number(row.slippage_bps, 1, signed=True)
    return [str(row.trades), str(row.won), number(row.gross, 2, signed=True), *costs, net, share, slipped]


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
