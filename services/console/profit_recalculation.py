"""`perpstream pnl recalculate`: stored figures of closed trades against what their fills say, and their correction."""

import datetime as dt
import getpass
import uuid
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from libs.kit.errors import ConfigurationError
from libs.store.recalculation import Recalculated, RecalculationRange, Signature, correct
from libs.store.recalculation import recalculate as compare
from libs.trading.corrections import Figure
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json
from services.console.profit import FIRST, LAST, require_account
from services.console.time_options import refuse_empty, utc
from services.console.watch.words import UNKNOWN, number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

EXAMPLES = (
    "Examples: `perpstream pnl recalculate`, `perpstream pnl recalculate --account main --from 2026-11-01`, "
    "`perpstream pnl recalculate --strategy v51 --apply --reason 'a fee was booked twice'`"
)


def recalculate(
    account: Annotated[
        str | None, typer.Option(help="Live trades of this account [default: paper]", show_default=False)
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="Paper trades of this strategy alone")] = None,
    start: Annotated[
        dt.datetime | None, typer.Option("--from", parser=utc, metavar="TIME", help="UTC; of exits")
    ] = None,
    stop: Annotated[
        dt.datetime | None, typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included; of exits")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is shown, with an audit row a figure")] = False,
    reason: Annotated[str, typer.Option(help="Why, for the audit; needed with --apply")] = "",
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Compute the figures of closed trades from their stored fills again, and show each that is another.

    Without --apply nothing is changed. Balances of paper accounts are not corrected: they are what the accounts went on with.
    """
    asked = _asked(account, strategy, start or FIRST, stop or LAST)
    if apply and not reason.strip():
        raise typer.BadParameter("say why, for the audit", param_hint="--reason")
    signed = Signature(uuid.uuid4().hex[:12], getpass.getuser(), reason.strip())

    async def work(engine: "AsyncEngine") -> tuple[int, list[Recalculated]]:
        if account is not None:
            await require_account(engine, account)
        return await (correct(engine, asked, signed) if apply else compare(engine, asked))

    looked_at, found = with_engine(state_dir, work)
    if as_json:
        told = {"looked_at": looked_at, "applied": signed.correction_id if apply and found else None}
        print_json(told | {"trades": [asdict(each) for each in found]})
        return
    if found:
        console().print(changes_table(found))
    console().print(_sentence(looked_at, found, signed if apply else None))


def _asked(account: str | None, strategy: str | None, start: dt.datetime, stop: dt.datetime) -> RecalculationRange:
    refuse_empty(start, stop)
    if account is not None and strategy is not None:
        raise ConfigurationError(
            "an account and a paper strategy at once", where="--account, --strategy", todo="take one of the two"
        )
    return RecalculationRange("paper" if account is None else "live", account or strategy, start, stop)


def changes_table(found: list[Recalculated]) -> Table:
    """A row a figure; what cannot be said of a trade stands in its place."""
    table = Table("account" if found[0].books == "live" else "strategy", "trade", "figure", box=None, pad_edge=False)
    table.add_column("stored", justify="right")
    table.add_column("by its fills", justify="right")
    for each in found:
        if each.trouble is not None:
            table.add_row(each.account, each.trade_id, each.trouble, UNKNOWN, UNKNOWN)
        for change in each.corrections:
            table.add_row(each.account, each.trade_id, change.field, _cell(change.before), _cell(change.after))
    return table


def _cell(figure: Figure) -> str:
    return UNKNOWN if figure is None else number(Decimal(figure), 8)


def _sentence(looked_at: int, found: list[Recalculated], signed: Signature | None) -> str:
    figures = sum(len(each.corrections) for each in found)
    trades = sum(bool(each.corrections) for each in found)
    unclear = sum(each.trouble is not None for each in found)
    said = f"{looked_at} closed trades: " + (
        f"{figures} figures of {trades} are not what their fills say" if figures else "all as their fills say"
    )
    if unclear:
        said += f"; of {unclear} nothing can be said"
    if signed is None:
        return said + ("; nothing was changed, --apply writes it" if figures else "")
    return said + (f"; written, audit {signed.correction_id}" if figures else "; nothing to write")
