"""`perpstream backtest sweep`, `walk-forward` and `compare`: requests for the backtester, as `run` makes them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from services.console.backtest_options import (
    AllowGaps,
    Archive,
    Balance,
    Filters,
    Ideal,
    MarketRange,
    MostPositions,
    NoFunding,
    Parquet,
    Recordings,
    Repaired,
    Risk,
    Start,
    Stop,
    Symbols,
    Timeline,
    WarmUp,
    account_of,
    become_backtester,
)
from services.console.output import AsJson, StateDir

SpaceFile = Annotated[Path, typer.Option(help="TOML or JSON file with the parameters and their values")]
StrategyFile = Annotated[Path, typer.Option(help="The strategy whose parameters change")]
Seed = Annotated[int, typer.Option(help="Of drawn points; the same seed draws the same")]
Workers = Annotated[int, typer.Option(help="Processes; 0: one a core")]
Figure = Annotated[str, typer.Option(help="What the best is best in: net, net_r, sharpe, profit_factor, drawdown, …")]
Count = Annotated[int, typer.Option(help="Points to draw; a grid has its own number")]


def sweep(
    start: Start,
    stop: Stop,
    strategy: StrategyFile,
    space: SpaceFile,
    method: Annotated[Literal["grid", "random", "optuna"], typer.Option(help="How points are chosen")] = "grid",
    count: Count = 200,
    seed: Seed = 1,
    figure: Figure = "net_r",
    workers: Workers = 0,
    symbols: Symbols = "",
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
    output: Annotated[Path, typer.Option(help="Folder of the results; the same sweep goes on in it")] = Path(
        "backtests/sweep"
    ),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Try many configurations of one strategy; each is scored and traded with all costs.

    Ctrl-C leaves what was tried: the same command goes on where it was. Exit code 130 when interrupted.
    """
    market = MarketRange(
        start, stop, symbols, parquet, archive, recording, timeline, repaired, warm_up_hours, allow_gaps
    )
    asked = {"kind": "sweep"} | market.request()
    asked |= account_of(ideal=ideal, funding=not no_funding, risk=risk, balance=balance, max_positions=max_positions)
    plan = {"space": space, "method": method, "count": count, "seed": seed, "figure": figure, "workers": workers}
    asked |= {"plan": plan, "strategies": [strategy], "filters": filters, "output": output, "json": as_json}
    become_backtester(asked, state_dir)


def walk_forward(
    start: Start,
    stop: Stop,
    strategy: StrategyFile,
    space: SpaceFile,
    train_days: Annotated[float, typer.Option(help="Days in which the best is chosen")] = 7,
    test_days: Annotated[float, typer.Option(help="Days after them in which it has to prove itself")] = 1,
    anchored: Annotated[bool, typer.Option("--anchored", help="All training begins at --from; else it rolls")] = False,
    method: Annotated[Literal["grid", "random"], typer.Option(help="How points are chosen")] = "grid",
    count: Count = 200,
    seed: Seed = 1,
    figure: Figure = "net_r",
    workers: Workers = 0,
    symbols: Symbols = "",
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
    output: Annotated[Path, typer.Option(help="Folder of the results")] = Path("backtests/walk-forward"),
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Choose the best configuration in each training window, and trade it in the window after."""
    market = MarketRange(
        start, stop, symbols, parquet, archive, recording, timeline, repaired, warm_up_hours, allow_gaps
    )
    asked = {"kind": "walk-forward"} | market.request()
    asked |= account_of(ideal=ideal, funding=not no_funding, risk=risk, balance=balance, max_positions=max_positions)
    search = {"space": space, "method": method, "count": count, "seed": seed, "figure": figure, "workers": workers}
    plan = search | {"train_days": train_days, "test_days": test_days, "anchored": anchored}
    asked |= {"plan": plan, "strategies": [strategy], "filters": filters, "output": output, "json": as_json}
    become_backtester(asked, state_dir)


def compare(
    a: Annotated[Path, typer.Argument(help="A report's folder, or its report.json")],
    b: Annotated[Path, typer.Argument(help="The other one")],
    output: Annotated[Path, typer.Option(help="Folder of the comparison")] = Path("backtests/comparison"),
    as_json: AsJson = False,
) -> None:
    """Two runs side by side: figures, signals that only one has, the same signals with another outcome."""
    asked = {"kind": "compare", "a": a, "b": b, "output": output, "json": as_json}
    become_backtester(asked, None)
