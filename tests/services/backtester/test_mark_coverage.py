"""Stops by the mark price in runs and sweeps: both trade the same, and whoever has no mark prices is refused by name."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from libs.store.exported import EXTREMES, path_of
from libs.trading.costs import Costs
from services.backtester.commands import run_command
from services.backtester.coverage import Incomplete
from services.backtester.reading import TableMarket
from services.backtester.report.document import cautions
from services.backtester.request import BacktestRequest
from services.backtester.result import MARKS_OF_STOPS, BacktestResult, InputCoverage
from services.backtester.runner import Run
from services.backtester.sources.archive import ArchiveSource
from services.backtester.sources.parquet import ParquetSource
from services.backtester.strategies import read_strategy_files
from services.backtester.sweep.data import Collector
from services.backtester.sweep.trial import Arena
from tests.fakes.progress import Unwatched
from tests.services.backtester.archive_files import write_trades
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.parquet_files import change, read_whole, write_rows
from tests.services.backtester.sweep.markets import DEFINITION

SYMBOL = "BTCUSDT"
BEGIN, END = FIRST_DAY + timedelta(hours=18), FIRST_DAY + timedelta(hours=24)
STEPS = 6 * 1_800


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(tmp_path, [Market(SYMBOL, 60_000.0, 40_000, 1)], 1)
    return tmp_path


def write_marks(folder: Path, steps: Sequence[int]) -> None:
    """Mark prices near the trades, each two seconds of the range: of these steps."""
    trades = read_whole(path_of(folder, "trades", SYMBOL, FIRST_DAY.date()))
    times = np.array(trades.column("trade_time").cast(pa.int64()))
    prices = np.array(trades.column("price").cast(pa.float64()))
    dice, rows = np.random.default_rng(5), list[dict[str, Any]]()
    for step in steps:
        at = BEGIN + timedelta(seconds=2 * step)
        last = float(prices[np.searchsorted(times, at.timestamp() * 1000) - 1])
        mark, below, above = last * (1 + dice.normal(0, 2e-4, 3))
        told = {"mark_price": mark, "lowest_mark_price": min(mark, below), "highest_mark_price": max(mark, above)}
        rows.append(
            {"event_time": at, "index_price": f"{last:.2f}", "next_funding_time": END}
            | {name: f"{price:.8f}" for name, price in told.items()}
        )
    write_rows(folder, "mark_prices", SYMBOL, rows)


def asked(folder: Path, *, allow_gaps: bool = False, working_type: str = "mark") -> BacktestRequest:
    bracket = DEFINITION["bracket"] | {"working_type": working_type, "trailing_atr": 1.0}
    (folder / "swept.json").write_text(json.dumps(DEFINITION | {"bracket": bracket, "threshold": 15}))
    return BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=BEGIN,
        end=END,
        strategies=(folder / "swept.json",),
        warm_up_hours=10,
        allow_gaps=allow_gaps,
        costs=Costs(funding=False),
    )


async def ran(request: BacktestRequest) -> BacktestResult:
    return await Run(request, TableMarket(ParquetSource(request.path or Path())), Unwatched()).run()


def row(result: BacktestResult) -> InputCoverage:
    [found] = [each for each in result.coverage if each.name == MARKS_OF_STOPS]
    return found


async def test_a_sweep_trades_what_a_run_does(folder: Path) -> None:
    write_marks(folder, range(STEPS))
    request = asked(folder)
    [(strategy, _)] = read_strategy_files(request.strategies)
    result = await ran(request)
    data = await Collector(request, TableMarket(ParquetSource(folder)), Unwatched(), strategy).collect()
    trial = Arena.of(data).trials([strategy])[0]
    assert sorted(trial.net.tolist()) == sorted(int(outcome.net.scaleb(8)) for outcome in result.outcomes)
    assert {"stop_loss", "trailing_stop"} <= {outcome.exit_reason for outcome in result.outcomes}
    assert (row(result).rows, row(result).share, row(result).missing) == (STEPS, 1.0, "")
    assert "stops of swept: triggered by the lowest and highest mark price" in result.facts.assumptions[-1]
    by_last = await ran(asked(folder, working_type="last"))
    assert not [line for line in by_last.facts.assumptions if "mark price" in line]
    assert [each.name for each in by_last.coverage if each.name == MARKS_OF_STOPS] == []
    assert [each.exit_time_ms for each in by_last.outcomes] != [each.exit_time_ms for each in result.outcomes]


async def test_a_symbol_without_any_is_refused_by_the_strategys_name(folder: Path) -> None:
    request = asked(folder, allow_gaps=True)
    [(strategy, _)] = read_strategy_files(request.strategies)
    with pytest.raises(Incomplete, match="the stops of swept are triggered by the mark price") as caught:
        await ran(request)
    assert f"{SYMBOL} in Parquet files" in str(caught.value.advice)
    assert "--recording" in str(caught.value.advice)
    with pytest.raises(Incomplete, match="swept"):
        await Collector(request, TableMarket(ParquetSource(folder)), Unwatched(), strategy).collect()


async def test_half_of_them_are_too_few_unless_a_person_allows_it(folder: Path) -> None:
    write_marks(folder, [*range(STEPS // 4), *range(3 * STEPS // 4, STEPS)])
    with pytest.raises(Incomplete, match="steps of mark prices are missing, the longest time without is 10802 s"):
        await ran(asked(folder))
    for half in (range(STEPS // 2), range(STEPS // 2, STEPS)):
        write_marks(folder, half)
        with pytest.raises(Incomplete, match=r"the longest time without is (1079\d|1080\d) s"):
            await ran(asked(folder))
    write_marks(folder, [*range(STEPS // 4), *range(3 * STEPS // 4, STEPS)])
    result = await ran(asked(folder, allow_gaps=True))
    assert 0.49 < row(result).share < 0.51
    assert "stops by the mark price were touched later or not at all" in "\n".join(cautions(result))


async def test_files_of_before_have_one_price_a_step_and_the_report_says_so(folder: Path) -> None:
    write_marks(folder, range(STEPS))
    change(path_of(folder, "mark_prices", SYMBOL, FIRST_DAY.date()), **dict.fromkeys(EXTREMES))
    result = await ran(asked(folder))
    assert row(result).missing == f"{STEPS:,} steps have one mark price and no extremes"
    assert result.outcomes


async def test_archives_are_refused_before_they_are_read(tmp_path: Path) -> None:
    write_trades(tmp_path, "2024-08-01", range(1440)).write_text("nothing that could be read")
    request = archive(tmp_path, working_type="mark")
    with pytest.raises(Incomplete, match="the stops of swept are triggered by the mark price") as caught:
        await Run(request, TableMarket(ArchiveSource([tmp_path])), Unwatched()).run()
    assert "archive files of" in str(caught.value.advice)
    assert '"working_type": "last"' in str(caught.value.advice)


@pytest.mark.parametrize("kind", ["sweep", "walk-forward"])
def test_so_are_sweeps_that_only_try_such_stops(kind: str, tmp_path: Path) -> None:
    write_trades(tmp_path, "2024-08-01", range(1440))
    space = tmp_path / "space.toml"
    space.write_text('[parameters]\nbracket.working_type = ["last", "mark"]\n')
    plan = {"space": str(space), "workers": 1, "train_days": 0.5, "test_days": 0.25}
    values = archive(tmp_path, working_type="last").model_dump(mode="json", exclude={"view"})
    with pytest.raises(Incomplete, match="the stops of swept are triggered by the mark price"):
        run_command(kind, values | {"view": "repaired", "plan": plan, "output": str(tmp_path / "out")})


def archive(folder: Path, *, working_type: str) -> BacktestRequest:
    path = folder / "swept.json"
    path.write_text(json.dumps(DEFINITION | {"bracket": DEFINITION["bracket"] | {"working_type": working_type}}))
    day = datetime(2024, 8, 1, tzinfo=UTC)
    return BacktestRequest(
        source="archive",
        path=folder,
        view="repaired",
        start=day,
        end=day + timedelta(days=1),
        strategies=(path,),
        warm_up_hours=0,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
