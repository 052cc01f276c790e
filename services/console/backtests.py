"""`perpstream backtest`: requests for the backtester, which the command turns into."""

from pathlib import Path

import typer

from libs.streaming.strategies.files import strategies_dir, strategy_files
from services.console import backtest_sweeps, drift_results
from services.console.backtest_options import (
    AllowGaps,
    Archive,
    Balance,
    Filters,
    Ideal,
    MarketRange,
    MostPositions,
    NoFunding,
    Output,
    Parquet,
    Recorded,
    Recordings,
    Repaired,
    Risk,
    Start,
    Stop,
    Strategies,
    Symbols,
    Timeline,
    WarmUp,
    account_of,
    become_backtester,
)
from services.console.output import AsJson, StateDir

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
    start: Start,
    stop: Stop,
    symbols: Symbols = "",
    strategy: Strategies = None,
    recorded_strategies: Recorded = False,
    parquet: Parquet = None,
    archive: Archive = None,
    recording: Recordings = None,
    timeline: Timeline = False,
    repaired: Repaired = False,
    warm_up_hours: WarmUp = 36,
    allow_gaps: AllowGaps = False,
    ideal: Ideal = False,
    no_funding: NoFunding = False,
    risk: Risk = 100,
    balance: Balance = 10_000,
    max_positions: MostPositions = 4,
    filters: Filters = None,
    output: Output = Path("backtests/latest"),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Replay a range, trade its signals in a simulated account, and write a report (HTML, JSON, Parquet).

    Fees, slippage, latency, funding, gaps and the exchange's filters are on. Exit code 0 when it ran, whatever it earned.
    """
    files = [] if recorded_strategies else strategy or strategy_files(strategies_dir())
    market = MarketRange(
        start, stop, symbols, parquet, archive, recording, timeline, repaired, warm_up_hours, allow_gaps
    )
    asked = market.request()
    asked |= {"strategies": files, "filters": filters, "output": output, "json": as_json}
    asked |= account_of(ideal=ideal, funding=not no_funding, risk=risk, balance=balance, max_positions=max_positions)
    become_backtester(asked, state_dir)


app.command(
    epilog="Example: `perpstream backtest sweep --from 2026-11-01 --to 2026-11-08 --strategy strategies/v51.json "
    "--space space.toml`"
)(backtest_sweeps.sweep)
app.command(
    "walk-forward",
    epilog="Example: `perpstream backtest walk-forward --from 2026-10-01 --to 2026-11-01 --train-days 7 --test-days 2 "
    "--strategy strategies/v51.json --space space.toml`",
)(backtest_sweeps.walk_forward)
app.command(epilog="Example: `perpstream backtest compare backtests/monday backtests/tuesday`")(backtest_sweeps.compare)
app.command(
    epilog="Examples: `perpstream backtest drift`, `perpstream backtest drift --from 2026-11-01 --to 2026-11-02 --json`"
)(drift_results.drift)
app.command("drift-checks", epilog="Examples: `perpstream backtest drift-checks`, `… drift-checks --days 30 --json`")(
    drift_results.drift_checks
)
