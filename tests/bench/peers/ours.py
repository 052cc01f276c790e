"""Our side: the full kernel, the features as columns, every factor, and what the strategies make of them."""

from collections.abc import Callable
from pathlib import Path

from libs.indicators.columns import columns_of_table
from libs.indicators.features import WINDOW_NAMES, Scale
from libs.indicators.kernel import LogRows
from libs.indicators.settings import KernelSettings
from libs.trading.asking import ask, totals
from libs.trading.columns import columns_of
from libs.trading.factors import all_factors
from libs.trading.strategy import read_strategy
from tests.bench.bench_kernel import EVALUATION_MS, kernel_run
from tests.bench.peers.contender import PRICE_DECIMALS, QUANTITY_DECIMALS, Contender, Reading

STRATEGIES = Path(__file__).parents[3] / "strategies"


def contender(rows: LogRows) -> Contender:
    """The kernel over all the rows."""
    work = scores(rows)
    return Contender("kernel, factors, scores", len(rows.time), lambda: work)


def scores(rows: LogRows) -> Callable[[], Reading]:
    """From trades to totals, and the last reading of the windows."""
    settings, scale = KernelSettings(bucket_ms=EVALUATION_MS), Scale("BTCUSDT", PRICE_DECIMALS, QUANTITY_DECIMALS)
    factors = all_factors()
    strategies = [read_strategy(path.read_bytes(), path.name) for path in sorted(STRATEGIES.glob("v*.json"))]

    def work() -> Reading:
        columns = columns_of(columns_of_table(kernel_run(rows, EVALUATION_MS), scale, settings), None)
        asked = {name: ask(factor, columns) for name, factor in factors.items()}
        for strategy in strategies:
            totals(strategy, asked)
        windows = [columns.window(name) for name in WINDOW_NAMES]
        return [(float(window.cvd[-1]), float(window.vwap[-1])) for window in windows]

    return work
