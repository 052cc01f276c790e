"""`perpstream backtest`: requests for the backtester, which runs each in a process of its own."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.console.output import AsJson, StateDir, servers
from services.console.strategy_files import strategies_dir, strategy_files
from services.console.time_options import utc

app = typer.Typer(
    help="Backtests: the live engine over stored data, an account behind it, and a report.",
    epilog="Example: `perpstream backtest run --from 2026-11-01 --to 2026-11-08 --symbols BTCUSDT`",
    no_args_is_help=True,
)


@app.callback()
def backtest() -> None:
    """Backtests: the live engine over stored data, an account behind it, and a report."""


@app.command(
    epilog="Examples: `perpstream backtest run --from 2026-11-01 --to 2026-11-08`, `perpstream backtest run --parquet export "
    "--from 2024-08-01 --to 2024-08-04 --symbols BTCUSDT --strategy strategies/v51.json --json`"
)
def run(
    start: Annotated[dt.datetime, typer.Option("--from", parser=utc, metavar="TIME", help="UTC, like 2026-11-01")],
    stop: Annotated[dt.datetime, typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included")],
    symbols: Annotated[str, typer.Option(help="Separated by commas [default: all that are stored]")] = "",
    strategy: Annotated[
        list[Path] | None, typer.Option(help="A strategy file; may be repeated [default: all of strategies/]")
    ] = None,
    recorded_strategies: Annotated[
        bool, typer.Option(help="Use the configurations that were in force, at the places where they changed")
    ] = False,
    parquet: Annotated[Path | None, typer.Option(help="Read what `data export` has written, not the database")] = None,
    repaired: Annotated[
        bool, typer.Option(help="With the trades that repairs have brought since; by default as the live engine saw it")
    ] = False,
    warm_up_hours: Annotated[float, typer.Option(help="Hours read before --from, whose signals do not count")] = 36,
    allow_gaps: Annotated[bool, typer.Option(help="Run over missing trades and days all the same")] = False,
    ideal: Annotated[bool, typer.Option(help="Without any costs; the report is branded")] = False,
    no_funding: Annotated[bool, typer.Option(help="Without funding payments, where their rates are not known")] = False,
    risk: Annotated[float, typer.Option(help="Risk per trade in quote units (1 R)")] = 100,
    balance: Annotated[float, typer.Option(help="Starting balance in quote units")] = 10_000,
    max_positions: Annotated[int, typer.Option(help="Most positions at a time")] = 4,
    filters: Annotated[
        Path | None, typer.Option(help="The exchange's answer to exchangeInfo [default: from the data]")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the report")] = Path("backtests/latest"),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay a range, trade its signals in a simulated account, and write a report (HTML, JSON, Parquet).

    Fees, slippage, latency, funding, gaps and the exchange's filters are on. Exit code 0 when it ran, whatever it earned.
    """
    files = [] if recorded_strategies else strategy or strategy_files(strategies_dir())
    request: dict[str, Any] = {
        "source": "postgres" if parquet is None else "parquet",
        "path": None if parquet is None else str(parquet),
        "view": "repaired" if repaired or parquet is not None else "as-seen",
        "symbols": [name.strip().upper() for name in symbols.split(",") if name.strip()],
        "start": start.isoformat(),
        "end": stop.isoformat(),
        "strategies": [str(path) for path in files],
        "warm_up_hours": warm_up_hours,
        "allow_gaps": allow_gaps,
        "costs": _costs(ideal=ideal, funding=not no_funding),
        "rules": {"risk_per_trade": str(risk), "starting_balance": str(balance), "max_positions": max_positions},
        "filters": None if filters is None else str(filters),
        "output": str(output),
        "json": as_json,
    }
    raise typer.Exit(_start(request, None if parquet is not None else state_dir, needs_database=parquet is None))


def _costs(*, ideal: bool, funding: bool) -> dict[str, Any]:
    if not ideal:
        return {"funding": funding}
    return {
        **dict.fromkeys(("taker_fee", "maker_fee"), "0"),
        **dict.fromkeys(("slippage", "gaps", "funding", "filters"), False),
        "latency_ms": 0,
    }


def _start(request: dict[str, Any], state_dir: Path | None, *, needs_database: bool) -> int:
    """Run the backtester with the servers that this command would ask; returns its exit code."""
    variables = dict(os.environ)
    if needs_database:
        database = servers(state_dir).database
        variables["PERPSTREAM_DATABASE_URL"] = database.database_url
        if database.database_password_file is not None:
            variables["PERPSTREAM_DATABASE_PASSWORD_FILE"] = str(database.database_password_file)
    command = [sys.executable, "-m", "services.backtester", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=variables)  # noqa: S603 - our own module
    try:
        process.communicate(json.dumps(request).encode())
    except KeyboardInterrupt:
        process.wait()  # the terminal's Ctrl-C reaches it as well
    return process.returncode
