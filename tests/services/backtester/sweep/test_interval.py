"""A sweep over the evaluation interval: each row is what a run of that interval says."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from libs.trading.costs import Costs
from libs.trading.rescoring import Rules
from services.backtester.metrics.figures import Figures, figures
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sweep.data import Collector
from services.backtester.sweep.search import Search
from services.backtester.sweep.space import Axis, on_finest_grid
from services.backtester.sweep.trial import Arena
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.sweep.markets import DEFINITION, base, collected, plan, space

INTERVALS = ("15s", "1s")


def test_each_interval_has_the_row_of_its_own_run(tmp_path: Path) -> None:
    write_days(tmp_path, [Market("BTCUSDT", 60_000.0, 6_000, 1)], 2)
    given = space(evaluation_interval=Axis(values=INTERVALS))
    finest = on_finest_grid(base(), given)
    assert finest.evaluation_interval == "1s"
    source = TableMarket(ParquetSource(tmp_path))
    data = asyncio.run(Collector(_request(tmp_path, "15s"), source, Unwatched(), finest).collect())
    search = Search(Arena.of(data), given, plan(), Unwatched())
    rows = search.rows([(number, search.point(number)) for number in range(2)])
    assert rows[0]["signals"] < rows[1]["signals"]
    for interval, row in zip(INTERVALS, rows, strict=True):
        found = _run(tmp_path, interval)
        assert (row["trades"], row["net"]) == (found.trades.value, pytest.approx(found.net.value)), interval


def test_what_was_asked_too_seldom_is_refused() -> None:
    often = base().model_copy(update={"evaluation_interval": "1s"})
    with pytest.raises(ValueError, match="on 1000 ms: asked was on 15000 ms only"):
        Rules.of(collected().data.opinions, [often])
    assert on_finest_grid(base(), space(threshold=Axis(values=(20, 30)))) == base()
    odd = space(evaluation_interval=Axis(values=("15s", "2h")))
    assert on_finest_grid(base(), odd).evaluation_interval == "15s"


def _run(folder: Path, interval: str) -> Figures:
    source = TableMarket(ParquetSource(folder))
    return figures(asyncio.run(Run(_request(folder, interval), source, Unwatched()).run()))


def _request(folder: Path, interval: str) -> BacktestRequest:
    path = folder / f"{interval}.json"
    path.write_text(json.dumps(DEFINITION | {"evaluation_interval": interval}))
    return BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=FIRST_DAY + timedelta(days=1),
        end=FIRST_DAY + timedelta(days=2),
        strategies=(path,),
        warm_up_hours=24,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
