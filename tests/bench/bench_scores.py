"""Files of trades to the scores of ten strategies with every factor, and where the time goes.

python -m tests.bench.bench_scores [--trades 10000000] [--rounds 7]

One symbol in files as `perpstream data export` writes them, four days of them; read, put through the kernel, asked of all
factors, and summed for ten strategies, stretch by stretch as a backtest does it. Wall time, because reading has a thread of its
own; the processor's time of both beside it. The parts are measured by themselves, so they add up to more than the whole.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as parquet
from rich.console import Console
from rich.table import Table

from libs.indicators.kernel import warm_up
from libs.indicators.log import TradeRows
from libs.indicators.settings import KernelSettings
from libs.kit.memory import keep_freed_memory
from libs.trading.asking import ask, totals
from libs.trading.columns import Columns
from libs.trading.engine.columns import ColumnEngine
from libs.trading.factors import all_factors
from libs.trading.strategy import Strategy
from services.backtester.reading import SymbolReader, stretches
from services.backtester.sources import Span
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sources.trade_files import TRADE_COLUMNS
from tests.services.backtester.market_days import Market, write_days

SYMBOL, DAYS, STRATEGIES = "BTCUSDT", 4, 10
STRETCH_MS = 4 * 3_600_000


def strategies() -> list[Strategy]:
    """Ten that weigh every factor."""
    votes = [name for name, factor in all_factors().items() if factor.role == "vote"]
    found = []
    for number in range(STRATEGIES):
        weights = {name: 1 + (place * (number + 3)) % 7 for place, name in enumerate(votes)}
        total = sum(weights.values())
        shares = {name: {"weight": weight / total} for name, weight in weights.items()}
        shares["atr_regime"] = {"weight": 1.0}
        found.append(Strategy.model_validate(_definition(f"bench{number}", shares)))
    return found


def _definition(name: str, factors: dict[str, dict[str, float]]) -> dict[str, object]:
    bracket = {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.5}
    band = {"low": 0.0, "high": 1.0}
    rest = {"threshold": 75, "cooldown_seconds": 900, "bracket": bracket, "atr_percentile_band": band}
    return {"name": name, "version": 1, "factors": factors, **rest}


def scored(parts: Sequence[Columns], configured: Sequence[Strategy]) -> int:
    """How many scores were made."""
    known, made = all_factors(), 0
    for columns in parts:
        asked = {name: ask(factor, columns) for name, factor in known.items()}
        made += sum(len(totals(each, {name: asked[name] for name in each.factors}).total) for each in configured)
    return made


async def files_to_scores(source: ParquetSource, span: Span, configured: Sequence[Strategy]) -> int:
    """The whole way; returns how many scores were made."""
    reader = SymbolReader(source, SYMBOL, span, KernelSettings())
    await reader.begin()
    made = 0
    for until_ms in stretches(span, STRETCH_MS):
        for part in await reader.advance(until_ms):
            made += scored(part.columns, configured)
    await reader.close()
    return made


async def pages(source: ParquetSource, span: Span) -> list[TradeRows]:
    """The files as the engine takes them."""
    return [page async for page in source.trades(SYMBOL, span)]


def evaluated(found: Sequence[TradeRows]) -> list[Columns]:
    """The kernel alone."""
    engine, columns = ColumnEngine(KernelSettings(), SYMBOL), list[Columns]()
    for page in found:
        columns += engine.advance(page, (), int(page.time[-1])).columns
    return columns


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    keep_freed_memory()  # as `perpstream backtest` does
    warm_up()
    configured = strategies()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start, end = write_days(folder, [Market(SYMBOL, 90_000.0, given.trades // DAYS, 1, 3)], DAYS)
        source = ParquetSource(folder)
        span = Span(int(start.timestamp() * 1000), int(end.timestamp() * 1000))
        files = sorted(folder.rglob("*.parquet"))
        found = asyncio.run(pages(source, span))
        columns = evaluated(found)
        ways: dict[str, Callable[[], object]] = {
            "files to scores": lambda: asyncio.run(files_to_scores(source, span, configured)),
            "reading alone (pyarrow, six columns)": lambda: [
                parquet.read_table(path, columns=TRADE_COLUMNS, partitioning=None) for path in files
            ],
            "reading as columns of integers": lambda: asyncio.run(pages(source, span)),
            "kernel": lambda: evaluated(found),
            f"{len(all_factors())} factors and {STRATEGIES} strategies": lambda: scored(columns, configured),
        }
        seen: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for work in ways.values():
            work()
        for _ in range(given.rounds):
            for way, work in ways.items():
                seen[way].append(timed(work))
        size = sum(path.stat().st_size for path in files) / given.trades
    show(seen, given.trades, size, scored(columns, configured))


def show(seen: dict[str, list[tuple[float, float]]], trades: int, size: float, made: int) -> None:
    """The table."""
    table = Table(title=f"{trades:,} trades of {size:.1f} bytes in files, {made:,} scores")
    for name in ("what", "M rows/s", "lowest to highest", "ns a row", "processor ns a row"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for way, times in seen.items():
        walls, processors = sorted(wall for wall, _ in times), [processor for _, processor in times]
        middle = statistics.median(walls)
        span = f"{trades / walls[-1] / 1e6:.1f} to {trades / walls[0] / 1e6:.1f}"
        nanoseconds = (middle / trades * 1e9, statistics.median(processors) / trades * 1e9)
        table.add_row(way, f"{trades / middle / 1e6:.1f}", span, *(f"{each:.1f}" for each in nanoseconds))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
