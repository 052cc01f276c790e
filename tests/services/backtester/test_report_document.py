"""The JSON report: the same result gives the same bytes everywhere, and nothing in it is a number that it is not."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from services.backtester.metrics.catalogue import BY_NAME, CATALOGUE, markdown_table
from services.backtester.metrics.figures import Figures
from services.backtester.report import make_report, read_report, report_json, write_report
from services.backtester.result import BacktestResult
from tests.services.backtester.results import DAY_MS, START_MS, Shape, curve, facts, make_result, outcome, plain_result

ROOT = Path(__file__).parents[3]
PRINT_HASH = (
    "from services.backtester.report import make_report\n"
    "from tests.services.backtester.results import Shape, make_result\n"
    "print(make_report(make_result(Shape(days=4))).report_hash)"
)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return make_result(Shape(days=12))


def test_the_same_result_gives_the_same_bytes(result: BacktestResult) -> None:
    assert report_json(result) == report_json(make_result(Shape(days=12)))


def test_another_process_makes_the_same_hash() -> None:
    environment = os.environ | {"PYTHONHASHSEED": "271", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASH], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == make_report(make_result(Shape(days=4))).report_hash


def test_the_hash_is_of_the_content_and_not_of_the_code(result: BacktestResult) -> None:
    report = make_report(result)
    other_code = msgspec.structs.replace(result.facts, code_version="0.2.0")
    other_risk = msgspec.structs.replace(result.facts, risk_per_trade=51.0)
    assert make_report(_with_facts(result, other_code)).report_hash == report.report_hash
    assert make_report(_with_facts(result, other_risk)).report_hash != report.report_hash


def test_the_hash_is_the_same_wherever_the_files_lie(result: BacktestResult) -> None:
    here = msgspec.structs.replace(result.facts, source="Parquet files of here", source_kind="parquet")
    there = msgspec.structs.replace(here, source="Parquet files of there")
    other = msgspec.structs.replace(here, source_kind="archive")
    hashes = [make_report(_with_facts(result, facts)).report_hash for facts in (here, there, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def _with_facts(result: BacktestResult, of: object) -> BacktestResult:
    parts = {name: getattr(result, name) for name in result.__slots__}
    return BacktestResult(**(parts | {"facts": of}))


def test_a_report_is_read_back_and_a_changed_one_is_not(result: BacktestResult) -> None:
    data = report_json(result)
    assert read_report(data) == make_report(result)
    with pytest.raises(ValueError, match="changed after it was written"):
        read_report(data.replace(b'"adverse_r": -', b'"adverse_r": -1', 1))
    with pytest.raises(ValueError, match="not a backtest report"):
        read_report(b"{}")
    with pytest.raises(ValueError, match="not a backtest report"):
        read_report(b"\xff\x00")


@pytest.mark.parametrize(
    "odd",
    [
        plain_result((), curve()),
        plain_result((), curve(), facts(days=0.1)),
        plain_result((outcome("5"),), curve((0.02, 10_005)), facts(days=0.1)),
        plain_result(tuple(outcome("5") for _ in range(30)), curve((1, 10_150))),
        plain_result(tuple(outcome("-5") for _ in range(30)), curve((1, 9_850))),
        plain_result((outcome("-12000"),), curve((1, -2_000), (2, -2_000)), facts(days=40)),
    ],
    ids=["no trades", "short and empty", "short", "all won", "all lost", "account lost"],
)
def test_no_figure_is_ever_no_number(odd: BacktestResult) -> None:
    """Whatever is missing is null with a reason; msgspec would write NaN as null, without one."""
    report = make_report(odd)
    for name in Figures.__struct_fields__:
        figure = getattr(report.figures, name)
        assert (figure.value is None) == bool(figure.reason), name
        assert figure.value == figure.value, name
    assert read_report(report_json(odd)) == report


def test_less_than_a_day_has_no_figures_of_days() -> None:
    found = make_report(plain_result((outcome("5"),), curve((0.02, 10_005)), facts(days=0.9))).figures
    for figure in (found.sharpe, found.sortino, found.volatility, found.cagr, found.calmar, found.deflated_sharpe):
        assert figure.value is None
        assert "day" in figure.reason
    assert found.net.value == 5


def test_nothing_can_be_said_of_an_empty_range() -> None:
    with pytest.raises(ValueError, match="range of the result is empty"):
        make_report(plain_result((), curve(), facts(end_ms=START_MS)))
    with pytest.raises(ValueError, match="starting balance"):
        make_report(plain_result((), curve(), facts(starting_balance=0.0)))


def test_a_reader_is_told_what_weakens_the_result() -> None:
    report = make_report(make_result(Shape(days=3, ideal=True, configurations=500)))
    told = "\n".join(report.cautions)
    for words in (
        "IDEAL",
        "3 days are few",
        "trades are few",
        "1 of 5 inputs have holes",
        "best of 500 configurations",
    ):
        assert words in told


def test_the_equity_is_thinned_and_keeps_its_extremes() -> None:
    result = make_result()
    report = make_report(result)
    assert len(report.equity.time_ms) < 6_000 < result.equity.equity.size
    assert max(report.equity.equity) == pytest.approx(float(result.equity.equity.max()))
    assert min(report.equity.equity) == pytest.approx(float(result.equity.equity.min()))
    assert -min(report.equity.underwater) == pytest.approx(report.figures.drawdown.value)
    assert report.equity.time_ms[-1] == START_MS + 30 * DAY_MS


def test_every_figure_is_in_the_catalogue_and_the_docs() -> None:
    assert tuple(BY_NAME) == tuple(metric.name for metric in CATALOGUE)
    assert set(BY_NAME) == set(Figures.__struct_fields__)
    assert markdown_table() in (ROOT / "docs" / "backtesting.md").read_text()


def test_files_are_written_and_money_in_parquet_is_exact(result: BacktestResult, tmp_path: Path) -> None:
    paths = write_report(result, tmp_path / "new" / "folder")
    assert paths.json.read_bytes() == report_json(result)
    assert paths.html.read_text().startswith("<!doctype html>")
    rows = pq.read_table(paths.outcomes).to_pylist()
    assert [row["net"] for row in rows] == [pytest.approx(one.net) for one in result.outcomes]
    assert sum(row["net"] for row in rows) == pytest.approx(sum(one.net for one in result.outcomes))
    assert [row["exit_time"].timestamp() * 1000 for row in rows] == [one.exit_time_ms for one in result.outcomes]
    assert sorted(path.name for path in paths.json.parent.iterdir()) == [
        "outcomes.parquet",
        "report.html",
        "report.json",
    ]
