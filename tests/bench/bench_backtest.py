"""A day of trades from Parquet files to a finished report, warm, again and again in one process: time, and memory that stays.

python -m tests.bench.bench_backtest [--trades 2000000] [--rounds 5] [--runs 50]
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from services.backtester.reading import TableMarket
from services.backtester.report import write_report
from services.backtester.request import BacktestRequest, read_request
from services.backtester.runner import Run
from services.backtester.sources.parquet import ParquetSource
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import Market, write_days

STRATEGIES = ["strategies/v51.json", "strategies/v52.json"]


def one_run(request: BacktestRequest, folder: Path) -> tuple[float, float, int]:
    """Wall and processor seconds from the files to the report's, and the evaluations of the range."""
    wall, processor = time.perf_counter(), time.process_time()
    result = asyncio.run(Run(request, TableMarket(ParquetSource(folder)), Unwatched()).run())
    write_report(result, request.output)
    return time.perf_counter() - wall, time.process_time() - processor, result.facts.evaluations


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start, end = write_days(folder / "data", [Market("BTCUSDT", 90_000.0, given.trades, 1, 3)], 1)
        values = {"source": "parquet", "path": folder / "data", "view": "repaired", "start": start, "end": end}
        values |= {"strategies": STRATEGIES, "warm_up_hours": 0, "costs": {"funding": False}, "output": folder / "out"}
        request = read_request(values)
        one_run(request, folder / "data")  # compiles what is not compiled yet
        seen = [one_run(request, folder / "data") for _ in range(given.rounds)]
        memory = [_memory_after(request, folder / "data", runs) for runs in (5, given.runs - 5)]
    walls, processors = sorted(wall for wall, _, _ in seen), sorted(cpu for _, cpu, _ in seen)
    table = Table(
        "what", "measured", title=f"a day of {given.trades:,} trades to a report, {seen[0][2]:,} evaluations, warm"
    )
    table.add_row("wall, s", f"{statistics.median(walls):.2f} ({walls[0]:.2f} to {walls[-1]:.2f})")
    table.add_row("processor, s", f"{statistics.median(processors):.2f} ({processors[0]:.2f} to {processors[-1]:.2f})")
    table.add_row(f"memory after 5 and {given.runs} more runs, MB", f"{memory[0] / 1e6:.0f} and {memory[1] / 1e6:.0f}")
    Console(width=120).print(table)
    return 0


def _memory_after(request: BacktestRequest, folder: Path, runs: int) -> int:
    for _ in range(runs):
        one_run(request, folder)
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    raise SystemExit(main())
