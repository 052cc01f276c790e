"""Two invented days of two symbols, collected once for all tests of sweeps, and the base strategy that they change."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from libs.contracts.signals import SignalScored
from libs.trading.costs import Costs
from libs.trading.strategy import Strategy, read_strategy
from services.backtester.metrics.figures import Figures, figures
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult
from services.backtester.runner import Run
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sweep.data import Collector, SweepData
from services.backtester.sweep.request import SweepPlan
from services.backtester.sweep.space import Axis, Space
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days

MARKETS = [Market("BTCUSDT", 60_000.0, 20_000, 1), Market("ETHUSDT", 3_000.0, 20_000)]
DEFINITION: dict[str, Any] = {
    "name": "swept",
    "version": 1,
    "threshold": 25,
    "cooldown_seconds": 900,
    "atr_percentile_band": {"low": 0.05, "high": 0.97},
    "bracket": {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.5},
    "factors": {
        "cvd_momentum": {"weight": 0.5, "when_missing": "refuse"},
        "large_trade_flow": {"weight": 0.2},
        "vwap_distance": {"weight": 0.3},
        "atr_regime": {"weight": 1.0},
    },
}


@dataclass(frozen=True)
class Collected:
    """What a sweep is run on, and what `backtest run` says of the base strategy over the same range."""

    data: SweepData
    result: BacktestResult
    heard: list[SignalScored]
    figures: Figures


@cache
def collected() -> Collected:
    with TemporaryDirectory() as name:
        return asyncio.run(_collect(Path(name)))


async def _collect(folder: Path) -> Collected:
    _, end = write_days(folder, MARKETS, 3)
    path = folder / "swept.json"
    path.write_text(json.dumps(DEFINITION))
    request = BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=FIRST_DAY + timedelta(days=1),
        end=end,
        strategies=(path,),
        warm_up_hours=24,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
    data = await Collector(request, TableMarket(ParquetSource(folder)), Unwatched(), base()).collect()
    heard = list[SignalScored]()
    result = await Run(request, TableMarket(ParquetSource(folder)), Unwatched(), heard).run()
    return Collected(data, result, heard, figures(result))


def base() -> Strategy:
    return read_strategy(json.dumps(DEFINITION), "swept")


def space(**axes: Axis) -> Space:
    """Axes by path, with double underscores for dots, over the base strategy."""
    definition = json.loads(base().model_dump_json())
    return Space(definition, {name.replace("__", "."): axes[name] for name in sorted(axes)})


def small() -> Space:
    """Six points, one of which contradicts itself: its first target is not below its second."""
    return space(threshold=Axis(values=(20, 30)), bracket__take_profit_1_atr=Axis(values=(0.5, 1.0, 2.0)))


def plan(**changes: Any) -> SweepPlan:
    return SweepPlan.model_validate({"space": Path("space.toml"), "workers": 1} | changes)
