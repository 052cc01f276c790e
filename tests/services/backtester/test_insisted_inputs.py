"""An input that a strategy insists on: a run without it is refused, one with less of it warns."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.trading.costs import Costs
from services.backtester.coverage import Incomplete
from services.backtester.reading import TableMarket
from services.backtester.report.document import cautions
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult
from services.backtester.runner import Run
from services.backtester.sources.parquet import ParquetSource
from services.backtester.strategies import read_strategy_files
from services.backtester.sweep.data import Collector
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.parquet_files import write_rows
from tests.services.backtester.sweep.markets import DEFINITION

RATIO = "global_long_short_account_ratio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(tmp_path, [Market("BTCUSDT", 60_000.0, 4_000, 1)], 1)
    return tmp_path


async def test_a_run_without_an_input_that_a_strategy_insists_on_is_refused(folder: Path) -> None:
    with pytest.raises(Incomplete, match=f"{RATIO} is missing at every evaluation") as caught:
        await ran(folder, "refuse")
    assert "BTCUSDT" in str(caught.value.advice)
    assert "--allow-gaps" in str(caught.value.advice)
    [strategy] = [each for each, _ in read_strategy_files([folder / "insists.json"])]
    with pytest.raises(Incomplete, match=RATIO):
        await Collector(asked(folder), TableMarket(ParquetSource(folder)), Unwatched(), strategy).collect()
    allowed = await ran(folder, "refuse", allow_gaps=True)
    assert f"BTCUSDT {RATIO} was missing" in "\n".join(cautions(allowed))
    omitted = await ran(folder, "omit")
    assert "was missing" not in "\n".join(cautions(omitted))


async def test_one_that_is_there_in_part_is_a_caution(folder: Path) -> None:
    write_ratios(folder, [FIRST_DAY + timedelta(hours=18, minutes=5 * number) for number in range(36)])
    result = await ran(folder, "refuse")
    [row] = [each for each in result.coverage if each.name == RATIO]
    assert 0.4 < row.share < 0.6
    assert row.insisted
    assert f"signals were refused where BTCUSDT {RATIO} was missing" in "\n".join(cautions(result))


async def ran(folder: Path, when_missing: str, *, allow_gaps: bool = False) -> BacktestResult:
    factors = DEFINITION["factors"] | {
        "vwap_distance": {"weight": 0.1},
        "long_short_crowding": {"weight": 0.2, "when_missing": when_missing},
    }
    (folder / "insists.json").write_text(json.dumps(DEFINITION | {"factors": factors}))
    return await Run(asked(folder, allow_gaps=allow_gaps), TableMarket(ParquetSource(folder)), Unwatched()).run()


def asked(folder: Path, *, allow_gaps: bool = False) -> BacktestRequest:
    return BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=FIRST_DAY + timedelta(hours=18),
        end=FIRST_DAY + timedelta(days=1),
        strategies=(folder / "insists.json",),
        warm_up_hours=18,
        allow_gaps=allow_gaps,
        costs=Costs(funding=False),
    )


def write_ratios(folder: Path, times: list[datetime]) -> None:
    """A ratio of longs to shorts at these times, as `perpstream data export` writes it."""
    rows = [
        {
            "event_id": f"ratio-{number}",
            "kind": RATIO,
            "period": "5m",
            "event_time": time.astimezone(UTC),
            "values": [("long_short_ratio", "1.5")],
            "source": "rest",
            "availability_assumed": False,
        }
        for number, time in enumerate(times)
    ]
    write_rows(folder, "indicators", "BTCUSDT", rows)
