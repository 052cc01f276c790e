"""Three simulated days of four symbols, 2.2 million BTC trades a day, through the command as a user runs it: a report to look at.

python -m tests.bench.three_days [--output backtests/three_days] [--scale 1.0] [--seed 3] [--data FOLDER]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.services.backtester.lively_days import MARKETS, write_lively_days

DAYS, WARM_UP_DAYS = 3, 2
"""The warm-up of 36 hours begins in the middle of the first day."""


def main() -> int:
    """Make the market, run the command, print what it took and what came of it; the report stays in the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("backtests/three_days"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the trades, for a quick look")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--data", type=Path, help="keep the market's files in this folder (250 MB)")
    given = parser.parse_args()
    data = given.data or Path(tempfile.mkdtemp(prefix="three-days-"))
    try:
        return _measured(given, data)
    finally:
        if given.data is None:
            shutil.rmtree(data)


def _measured(given: argparse.Namespace, data: Path) -> int:
    markets = tuple(replace(one, trades_a_day=int(one.trades_a_day * given.scale)) for one in MARKETS)
    began = time.perf_counter()
    first, end = write_lively_days(data, markets, WARM_UP_DAYS + DAYS, given.seed)
    written = time.perf_counter() - began
    command = [sys.executable, "-m", "services.console", "backtest", "run", "--parquet", str(data)]
    command += ["--from", _day(first + timedelta(days=WARM_UP_DAYS)), "--to", _day(end), "--output", str(given.output)]
    began = time.perf_counter()
    done = subprocess.run(command, check=False, stdout=sys.stderr)  # the report is not the benchmark's answer
    took = time.perf_counter() - began
    if done.returncode:
        return done.returncode
    # Linux counts in KiB; of all children the largest, which is the backtester.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    report = json.loads((given.output / "report.json").read_bytes())
    _print(
        report, given.output, {"making the market, s": written, "the command, s": took, "peak memory, MB": peak / 1e6}
    )
    return 0


def _day(moment: Any) -> str:
    return str(moment.date())


def _print(report: dict[str, Any], output: Path, measured: dict[str, float]) -> None:
    facts = report["facts"]
    table = Table("what", "measured", title="three simulated days of four symbols")
    for name, value in measured.items():
        table.add_row(name, f"{value:,.1f}")
    table.add_row("trades read, with warm-up", f"{facts['trades_read']:,}")
    table.add_row("evaluations", f"{facts['evaluations']:,}")
    table.add_row("signals, emitted and refused", f"{len(report['signals']):,}")
    table.add_row("positions closed", f"{len(report['trades']):,}")
    table.add_row("page, MB", f"{(output / 'report.html').stat().st_size / 1e6:.2f}")
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
