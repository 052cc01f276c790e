"""A range of months fits the memory: what a run keeps of each signal is a row, however long the signal's story is."""

import asyncio
import gc
import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

from libs.trading.costs import Costs
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult
from services.backtester.runner import Run
from services.backtester.sources.parquet import ParquetSource
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.sweep.markets import DEFINITION

MOST_BYTES_A_SIGNAL = 700
"""Its row and its share of trades, curve and candles; a whole signal is 5,000."""


def test_a_longer_range_costs_a_row_for_each_signal(tmp_path: Path) -> None:
    write_days(tmp_path, [Market("BTCUSDT", 60_000.0, 8_000, 1)], 3)
    (tmp_path / "swept.json").write_text(json.dumps(DEFINITION | {"threshold": 5}))

    def kept(days: int) -> tuple[int, BacktestResult]:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        run = Run(_request(tmp_path, days), TableMarket(ParquetSource(tmp_path)), Unwatched())
        result = asyncio.run(run.run())
        del run
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before, result

    kept(1)  # loads what is lazy
    tracemalloc.start()
    try:
        (short, first), (long, second) = kept(1), kept(3)
    finally:
        tracemalloc.stop()
    more = len(second.signals) - len(first.signals)
    assert more > 1_000
    assert (long - short) / more < MOST_BYTES_A_SIGNAL


def _request(folder: Path, days: int) -> BacktestRequest:
    return BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=FIRST_DAY,
        end=FIRST_DAY + timedelta(days=days),
        strategies=(folder / "swept.json",),
        warm_up_hours=0,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
