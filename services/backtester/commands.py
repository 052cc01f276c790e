"""What the backtester does beside a single run: sweeps, walk-forwards, comparisons of two reports, drift checks."""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from libs.kit.errors import ConfigurationError
from libs.kit.interruption import EXIT_INTERRUPTED
from libs.trading.strategy import Strategy
from services.backtester.app import open_source
from services.backtester.drift import VERDICTS, Drift, write_drift
from services.backtester.drift_check import check_drift
from services.backtester.report import Report, compare, print_comparison, read_report, write_comparison
from services.backtester.report.comparison import encoded
from services.backtester.request import BacktestRequest, RequestInvalid, read_request
from services.backtester.screen import Shown, progress, result_console
from services.backtester.strategies import read_strategy_files
from services.backtester.sweep.data import Collector, SweepData
from services.backtester.sweep.page import write_page
from services.backtester.sweep.points import grid_size
from services.backtester.sweep.request import SweepPlan, read_plan
from services.backtester.sweep.screens import print_sweep, print_walk
from services.backtester.sweep.search import Search
from services.backtester.sweep.space import Space, on_finest_grid, read_space, with_marks
from services.backtester.sweep.summary import summarise, write_summary
from services.backtester.sweep.trial import Arena
from services.backtester.sweep.walk_forward import WalkForwardRun, windows
from services.backtester.sweep.walk_page import write_walk

MOST_SHOWN = 20
Values = dict[str, Any]


def run_command(kind: str, values: Values) -> int:
    """Do what a request of this kind asks; returns the exit code. Raises `UserError`."""
    if kind not in COMMANDS:
        raise RequestInvalid(f"unknown kind {kind}", where="request", todo=f"known are run, {', '.join(COMMANDS)}")
    as_json = bool(values.pop("json", False))
    try:
        return COMMANDS[kind](values, as_json)
    except KeyboardInterrupt:
        words = "interrupted; what was tried is kept: start the same again to go on"
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"perpstream: {words}", style="yellow", markup=False
        )
        return EXIT_INTERRUPTED


def _sweep(values: Values, as_json: bool) -> int:
    plan, request, strategy, space = _asked(values)
    if plan.method == "grid":
        grid_size(space)  # before hours are read
    with progress(request) as shown:
        data = asyncio.run(_collected(request, strategy, shown))
        search = Search(Arena.of(data), space, plan, shown)
        rows = search.run(request.output)
        summary = summarise(search, rows)
    write_summary(summary, rows, request.output)
    path = write_page(summary, space, rows, request.output)
    if as_json:
        sys.stdout.buffer.write((request.output / "sweep.json").read_bytes())
        return 0
    console = result_console()
    print_sweep(summary, console)
    console.print(f"page: {path}", markup=False)
    return 0


def _walk_forward(values: Values, as_json: bool) -> int:
    plan, request, strategy, space = _asked(values)
    windows(request.start_ms, request.end_ms, plan)
    with progress(request) as shown:
        data = asyncio.run(_collected(request, strategy, shown))
        walk = WalkForwardRun(data, space, plan, shown).run(request.output)
    path = write_walk(walk, request.output)
    if as_json:
        sys.stdout.buffer.write((request.output / "walk_forward.json").read_bytes())
        return 0
    console = result_console()
    print_walk(walk, console)
    console.print(f"page: {path}", markup=False)
    return 0


def _compare(values: Values, as_json: bool) -> int:
    try:
        first, second, output = Path(values["a"]), Path(values["b"]), Path(values["output"])
    except KeyError as error:
        raise RequestInvalid(f"{error} is missing", where="request", todo="name two reports and an output") from None
    found = compare(_report(first), _report(second))
    paths = write_comparison(found, output)
    if as_json:
        sys.stdout.buffer.write(encoded(found))
        return 0
    console = result_console()
    print_comparison(found, console)
    console.print(f"page: {paths.html}", markup=False)
    return 0


def _drift(values: Values, as_json: bool) -> int:
    request = read_request(values)
    if request.source not in ("postgres", "timeline") or request.view != "as-seen":
        raise RequestInvalid(
            "a drift check replays what the live engine saw", where="source", todo="read postgres or timeline, as-seen"
        )
    with progress(request) as shown:
        drift = asyncio.run(check_drift(request, shown))
    write_drift(drift, request.output, time.time())
    if as_json:
        sys.stdout.buffer.write((request.output / "drift.json").read_bytes())
    else:
        _print_drift(drift, result_console())
    return VERDICTS[drift.state].exit_code


def _asked(values: Values) -> tuple[SweepPlan, BacktestRequest, Strategy, Space]:
    planned = values.pop("plan", {})
    request = read_request(values)
    plan = read_plan(planned, request)
    strategy = read_strategy_files(request.strategies)[0][0]
    space = read_space(plan.space, strategy)
    return plan, request, with_marks(on_finest_grid(strategy, space), space), space


async def _collected(request: BacktestRequest, strategy: Strategy, shown: Shown) -> SweepData:
    async with open_source(request) as source:
        return await Collector(request, source, shown, strategy).collect()


def _report(path: Path) -> Report:
    """A report by its file or its folder."""
    file = path / "report.json" if path.is_dir() else path
    try:
        return read_report(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the report cannot be read: {error}", where=str(file), todo="name a report.json"
        ) from None


def _print_drift(drift: Drift, console: Console) -> None:
    for each in drift.differences[:MOST_SHOWN]:
        fields = "; ".join(f"{path}: live {live}, replay {replayed}" for path, live, replayed in each.fields)
        words = each.state.replace("_", " ")
        line = f"{words}: {each.strategy} v{each.version} {each.symbol} at {each.time_ms} {fields}".rstrip()
        console.print(line, markup=False)
    if len(drift.differences) > MOST_SHOWN:
        console.print(f"… and {len(drift.differences) - MOST_SHOWN} more; the JSON has all of them", markup=False)
    if drift.state == "not_comparable":
        console.print(f"not comparable: {drift.reason}", style="yellow", markup=False)
        return
    told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in drift.counts().items())
    over = f"over {drift.evaluations:,} live evaluations"
    console.print(
        f"{drift.same} signals are the same {over}; {told}", style="red" if drift.differences else "green", markup=False
    )
    if drift.state == "agreed" and drift.reason:
        console.print(drift.reason, markup=False)


COMMANDS: Mapping[str, Callable[[Values, bool], int]] = {
    "sweep": _sweep,
    "walk-forward": _walk_forward,
    "compare": _compare,
    "drift": _drift,
}
