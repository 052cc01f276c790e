"""A sweep's trade simulation: many configurations over 92 hours of one busy symbol, in processor time of one core.

The market is a random walk of as many trades as BTCUSDT has; the signals are random, with brackets of the usual widths, so that
positions end in every way. What is counted are whole configurations: decision, fills, costs, guard, funding and results.
"""

import argparse
import time
from decimal import Decimal

import numpy as np

from libs.trading.arrays import PreparedMarket, TradingSetup, prepare, simulate_arrays
from libs.trading.costs import Costs
from libs.trading.filters import SymbolFilters
from libs.trading.machine.run import Signals
from libs.trading.market import FundingRates, TradeTape
from libs.trading.portfolio import PortfolioRules

HOUR_MS = 3_600_000
START_MS = 20_000 * 24 * HOUR_MS
SYMBOL = "BTCUSDT"
TICKS = 600_000
"""60,000.0 in ticks of 0.1."""


def walk(rows: int, hours: int) -> TradeTape:
    """A random walk that moves about 0.1 % in five minutes."""
    chance = np.random.default_rng(1)
    steps = chance.normal(0, 0.001 * TICKS / np.sqrt(rows / (hours * 12)), rows)
    price = np.maximum(TICKS // 10, TICKS + np.cumsum(steps)).astype(np.int64)
    times = np.sort(chance.integers(START_MS, START_MS + hours * HOUR_MS, rows))
    quantity = chance.integers(1, 400, rows)
    return TradeTape(SYMBOL, 1, 3, times, price, quantity, np.zeros(rows, np.uint8))


def signals(tape: TradeTape, hours: int, count: int, seed: int, trailing: float) -> Signals:
    """As many emitted signals as a configuration has, on the 15 s grid; `trailing` in ATR, which is a thousandth of the price,
    0: the stop stays."""
    chance = np.random.default_rng(seed)
    grid = np.sort(chance.choice(np.arange(4, hours * 240 - 1), count, replace=False))
    times = START_MS + grid * 15_000
    price = tape.price[np.searchsorted(tape.time_ms, times) - 1]
    side = chance.choice(np.array([1, -1]), count)
    atr = TICKS // 1_000
    return Signals(
        np.arange(count),
        times,
        np.zeros(count, np.int64),
        side,
        price,
        price - side * int(1.5 * atr),
        price + side * atr,
        price + side * 2 * atr,
        times + 70 * 60_000,
        np.full(count, round(trailing)),
        *[np.zeros(count, np.int64)] * 3,
    )


def account(hours: int) -> TradingSetup:
    """Everything on: filters, funding, guard with flattening."""
    settlements = [(START_MS + hour * HOUR_MS, Decimal("0.0001"), Decimal(60_000)) for hour in range(0, hours + 1, 8)]
    return TradingSetup(
        # The guard looks, and stops nothing: a random walk that pays costs would be stopped all day.
        PortfolioRules(daily_loss_r=None, warning_r=Decimal(3), circuit_break_r=Decimal(1_000), flatten=True),
        Costs(),
        {SYMBOL: SymbolFilters(SYMBOL, Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(120), Decimal(100))},
        {SYMBOL: FundingRates.of(SYMBOL, settlements)},
    )


def sweep(prepared: PreparedMarket, columns: list[Signals], setup: TradingSetup) -> int:
    """Positions that were closed over all configurations."""
    return sum(len(simulate_arrays(prepared, each, setup).net) for each in columns)


def run(rows: int, hours: int, configurations: int, per_configuration: int, trailing: float) -> None:
    tape, setup = walk(rows, hours), account(hours)
    columns = [signals(tape, hours, per_configuration, seed, trailing) for seed in range(configurations)]
    span = (START_MS, START_MS + hours * HOUR_MS)
    prepare({SYMBOL: tape.select(0, 1_000)}, setup, span)
    begun = time.process_time()
    prepared = prepare({SYMBOL: tape}, setup, span)
    prepared_in = time.process_time() - begun
    sweep(prepared, columns[:1], setup)
    begun = time.process_time()
    closed = sweep(prepared, columns, setup)
    taken = time.process_time() - begun
    print(f"{rows:,} trades of {hours} h prepared in {prepared_in:.2f} s")
    print(
        f"{configurations:,} configurations x {per_configuration} signals: {taken:.2f} s, {closed:,} positions, "
        f"{taken / max(1, closed) * 1e6:.1f} us a position, {taken / configurations * 1000:.2f} ms a configuration"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=8_000_000)
    parser.add_argument("--hours", type=int, default=92)
    parser.add_argument("--configurations", type=int, default=1_000)
    parser.add_argument("--signals", type=int, default=370)
    parser.add_argument("--trailing", type=float, default=0, help="distance of trailing stops in ATR; 0: none")
    given = parser.parse_args()
    run(given.rows, given.hours, given.configurations, given.signals, given.trailing)


if __name__ == "__main__":
    main()
