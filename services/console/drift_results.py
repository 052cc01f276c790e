"""`perpstream backtest drift` and `drift-checks`: one comparison of live and replay, and those that the nightly job stored."""

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from services.console.backtest_options import AllowGaps, MarketRange, Symbols, WarmUp, become_backtester
from services.console.database import with_engine
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json
from services.console.time_options import utc

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.drift_checks import DriftCheck

_DAY = dt.timedelta(days=1)
_COLOURS = {"agreed": "green", "differs": "red", "not_comparable": "yellow"}
Start = Annotated[
    dt.datetime | None,
    typer.Option("--from", parser=utc, metavar="TIME", help="UTC, like 2026-11-01 [default: yesterday]"),
]
Stop = Annotated[
    dt.datetime | None,
    typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included [default: a day after --from]"),
]


def drift(
    start: Start = None,
    stop: Stop = None,
    symbols: Symbols = "",
    warm_up_hours: WarmUp = 36,
    allow_gaps: AllowGaps = True,
    output: Annotated[Path, typer.Option(help="Folder of drift.json, drift.prom and alert.json")] = Path(
        "backtests/drift"
    ),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """The signals that were published live against a replay of the recorded data; by default of yesterday (UTC).

    Exit code 0 when they agree, 1 when they differ, 5 when the range cannot be compared (the reason is said).
    """
    first, last = _span(start, stop)
    market = MarketRange(first, last, symbols, warm_up_hours=warm_up_hours, allow_gaps=allow_gaps)
    asked = {"kind": "drift"} | market.request()
    asked |= {"costs": {"funding": False}, "output": output, "json": as_json}
    become_backtester(asked, state_dir)


def drift_checks(
    days: Annotated[int, typer.Option(min=1, max=3660, help="The newest so many")] = 14,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """What the nightly checks have found, newest day first. Exit code 1 when a shown day differs."""
    from libs.store.drift_checks import drift_checks as stored

    async def work(engine: "AsyncEngine") -> "list[DriftCheck]":
        return await stored(engine, days)

    found = with_engine(state_dir, work)
    if as_json:
        print_json([_plain(check) for check in found])
    elif not found:
        console().print("no day was checked yet: the first is due the night after it was recorded")
    else:
        console().print(_table(found))
    if any(check.state == "differs" for check in found):
        raise typer.Exit(EXIT_FAILED)


def _span(start: dt.datetime | None, stop: dt.datetime | None) -> tuple[dt.datetime, dt.datetime]:
    if start is None and stop is None:
        today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - _DAY, today
    if start is None:
        raise typer.BadParameter("name where the range begins too", param_hint="--from")
    return start, stop or start + _DAY


def _plain(check: "DriftCheck") -> dict[str, Any]:
    row = {name: getattr(check, name) for name in type(check).__dataclass_fields__}
    first = check.first_difference
    return row | {"first_difference": None if first is None else json.loads(first)}


def _table(found: "list[DriftCheck]") -> Table:
    table = Table("day", "state", box=None, pad_edge=False)
    for name in ("signals", "differing", "evaluations"):
        table.add_column(name, justify="right")
    table.add_column("reason", overflow="fold")
    for check in found:
        counts = (check.rows_compared, check.rows_differing, check.evaluations)
        state = f"[{_COLOURS[check.state]}]{check.state.replace('_', ' ')}[/]"
        table.add_row(str(check.day), state, *(f"{count:,}" for count in counts), _escaped(check.reason))
    return table


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
