"""The kernel against the design it replaces (pure-Python deques, the same three windows, a 15 s loop), and its polls.

Ratios within one run, medians of interleaved rounds, processor time of the one thread (so that a busy machine stretches
neither side); nothing is asserted by the clock, but both sides must agree on CVD. `--peer-rows`
lets the deques take the first rows only, for a quicker look.
"""

import argparse
import json
import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from libs.indicators import layout as at
from libs.indicators.kernel import Kernel, LogRows, warm_up
from libs.indicators.settings import KernelSettings

EVALUATION_MS = 15_000
WINDOWS_MS = (300_000, 1_800_000, 14_400_000)
TRADES_PER_SECOND = 30


class TradeWindow:
    """A rolling window as the replaced application kept it: a deque of trades and running sums."""

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self.trades: deque[tuple[int, float, float, bool]] = deque()
        self.bought = self.sold = self.volume = self.notional = 0.0

    def add(self, time_ms: int, price: float, quantity: float, sold: bool) -> None:
        self.trades.append((time_ms, price, quantity, sold))
        self.volume += quantity
        self.notional += price * quantity
        if sold:
            self.sold += quantity
        else:
            self.bought += quantity
        self.trim(time_ms)

    def trim(self, now_ms: int) -> None:
        start = now_ms - self.length_ms
        while self.trades and self.trades[0][0] < start:
            _, price, quantity, sold = self.trades.popleft()
            self.volume -= quantity
            self.notional -= price * quantity
            if sold:
                self.sold -= quantity
            else:
                self.bought -= quantity

    def read(self) -> tuple[float, float]:
        """CVD and VWAP."""
        return self.bought - self.sold, self.notional / self.volume if self.volume > 0 else 0.0


def deques(trades: list[tuple[int, float, float, bool]]) -> list[tuple[float, float]]:
    """Feed the windows and read them each 15 s; returns the last reading."""
    windows = [TradeWindow(length) for length in WINDOWS_MS]
    edge = trades[0][0] // EVALUATION_MS * EVALUATION_MS + EVALUATION_MS
    read: list[tuple[float, float]] = []
    for time_ms, price, quantity, sold in trades:
        while time_ms >= edge:
            for window in windows:
                window.trim(edge)
            read = [window.read() for window in windows]
            edge += EVALUATION_MS
        for window in windows:
            window.add(time_ms, price, quantity, sold)
    return read


def stream(count: int, seed: int = 20_240_607) -> LogRows:
    """One BTC-like symbol: clustered arrivals (half the rows share a millisecond), log-normal sizes."""
    random = np.random.default_rng(seed)
    widest = 4_000 // TRADES_PER_SECOND
    gaps = np.where(random.random(count) < 0.5, 0, random.integers(0, widest, count))
    times = 1_700_000_000_000 + np.cumsum(gaps).astype(np.int64)
    prices = (600_000 + np.cumsum(random.integers(-5, 6, count))).astype(np.int64)
    quantities = np.maximum(1, np.exp(random.normal(3, 2, count)).astype(np.int64))
    sold = (random.random(count) < 0.5).astype(np.uint8)
    return LogRows(np.zeros(count, np.int32), np.arange(count, dtype=np.int64), times, prices, quantities, sold)


def first(rows: LogRows, count: int) -> LogRows:
    return LogRows._make(column[:count] for column in rows)


def kernel_run(rows: LogRows, bucket_ms: int) -> NDArray[Any]:
    """The full kernel on one symbol, evaluated each 15 s."""
    kernel = Kernel(KernelSettings(bucket_ms=bucket_ms), pool_blocks=4096)
    kernel.symbols.add("BTCUSDT", 1, 3)
    return kernel.process(rows)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one run."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def compare(count: int, peer_rows: int, rounds: int) -> list[dict[str, Any]]:
    """Rates in rows per second, and ratios to the deques of the same round."""
    rows = stream(count)
    part = first(rows, peer_rows)
    trades = list(
        zip(
            part.time.tolist(),
            (part.price / 10).tolist(),
            (part.quantity / 1_000).tolist(),
            (part.kind == 1).tolist(),
            strict=True,
        )
    )
    agree(deques(trades), kernel_run(part, 15_000))
    ways: list[tuple[str, int, Callable[[], object]]] = [
        (f"kernel, 15 s buckets, {count:,} rows", count, lambda: kernel_run(rows, 15_000)),
        (f"kernel, 1 s buckets, {count:,} rows", count, lambda: kernel_run(rows, 1_000)),
        (f"deques, 15 s loop, {peer_rows:,} rows", peer_rows, lambda: deques(trades)),
    ]
    rates: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for _ in range(rounds):
        for name, taken, work in ways:
            rates[name].append(taken / seconds(work))
    peers = rates[ways[-1][0]]
    return [
        {
            "way": name,
            "rows_per_second": statistics.median(rates[name]),
            "ns_per_row": 1e9 / statistics.median(rates[name]),
            "times_deques": statistics.median(mine / peer for mine, peer in zip(rates[name], peers, strict=True)),
            "lowest": min(mine / peer for mine, peer in zip(rates[name], peers, strict=True)),
            "highest": max(mine / peer for mine, peer in zip(rates[name], peers, strict=True)),
        }
        for name, _, _ in ways
    ]


def agree(read: list[tuple[float, float]], table: NDArray[Any]) -> None:
    """Both sides computed the same thing: CVD of each window at the last edge."""
    for number, (cvd, _) in enumerate(read, 1):
        exact = int(table[f"signed_{number}"][-1]) / 1_000
        if abs(cvd - exact) > 1e-3:
            raise SystemExit(f"window {number}: the deques say {cvd}, the kernel {exact}")


def poll(symbols: int, rows: int = 2_000, polls: int = 400) -> dict[str, Any]:
    """One call per poll of `rows` trades over many symbols, a watermark for each symbol at its end."""
    random = np.random.default_rng(symbols)
    kernel = Kernel(KernelSettings(), pool_blocks=4096)
    for number in range(symbols):
        kernel.symbols.add(f"S{number}", 2, 3)
    every = np.arange(symbols, dtype=np.int32)
    took, evaluations = [], 0
    for number in range(polls):
        start = 1_700_000_000_000 + number * 500
        time_ms = start + np.sort(random.integers(0, 500, rows)).astype(np.int64)
        ids = np.arange(rows, dtype=np.int64) + number * rows
        symbol = random.integers(0, symbols, rows).astype(np.int32)
        wide = (random.integers(50_000, 50_100, rows), random.integers(1, 900, rows))
        zeros = np.zeros(symbols, np.int64)
        batch = LogRows(
            np.concatenate([symbol, every]),
            np.concatenate([ids, zeros]),
            np.concatenate([time_ms, np.full(symbols, start + 499, np.int64)]),
            np.concatenate([wide[0], zeros]),
            np.concatenate([wide[1], zeros]),
            np.concatenate([random.integers(0, 2, rows).astype(np.uint8), np.full(symbols, at.WATERMARK, np.uint8)]),
        )
        started = time.perf_counter()
        evaluations += len(kernel.process(batch))
        took.append((time.perf_counter() - started) * 1e6)
    ranked = sorted(took[10:])
    return {
        "way": f"{rows:,} rows and {symbols} watermarks over {symbols} symbols in one call",
        "microseconds_p50": ranked[len(ranked) // 2],
        "microseconds_p99": ranked[len(ranked) * 99 // 100],
        "evaluations": evaluations,
    }


def show(rates: list[dict[str, Any]], polls: list[dict[str, Any]]) -> None:
    console = Console()
    table = Table("way", "M rows/s", "ns a row", "times the deques", "lowest to highest", title="kernel, one process")
    for row in rates:
        span = f"{row['lowest']:.0f} to {row['highest']:.0f}"
        cells = (row["rows_per_second"] / 1e6, row["ns_per_row"], row["times_deques"])
        table.add_row(row["way"], f"{cells[0]:.2f}", f"{cells[1]:.1f}", f"{cells[2]:.0f}", span)
    console.print(table)
    table = Table("poll", "p50 µs", "p99 µs", "evaluations")
    for row in polls:
        cells = (f"{row['microseconds_p50']:.0f}", f"{row['microseconds_p99']:.0f}", str(row["evaluations"]))
        table.add_row(row["way"], *cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    given = parser.parse_args()
    warm_up()
    rates = compare(given.rows, min(given.peer_rows, given.rows), given.rounds)
    polls = [poll(symbols) for symbols in (4, 400)]
    if given.json:
        print(json.dumps({"kernel": rates, "polls": polls}, indent=2))
    else:
        show(rates, polls)


if __name__ == "__main__":
    main()
