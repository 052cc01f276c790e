"""`perpstream backtest run` from files to a report: the same twice, honest about what is missing, one line for what is wrong."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from libs.indicators.settings import KernelSettings
from libs.store.exported import path_of
from services.backtester.reading import SymbolReader
from services.backtester.sources import Span
from services.backtester.sources.parquet import ParquetSource
from services.backtester.strategies import read_strategy_files
from tests.services.backtester.market_days import DAY_MS, FIRST_DAY, Market, write_days
from tests.services.backtester.parquet_files import read_whole, write_rows

STRATEGY = Path("strategies/v51.json")
RANGE = ("--from", "2026-03-02T12:00", "--to", "2026-03-03")
START_MS = int(FIRST_DAY.timestamp() * 1000)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    write_days(folder, [Market("BTCUSDT", 90_000.0, 40_000, 1, 3), Market("ETHUSDT", 3_000.0, 20_000, 2, 3)], 1)
    return folder


def run(folder: Path, output: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """The command over a folder of Parquet files, without funding."""
    command = [sys.executable, "-m", "services.console", "backtest", "run", "--parquet", str(folder), *RANGE]
    command += ["--no-funding", "--strategy", str(STRATEGY), "--output", str(output), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def report(folder: Path, output: Path, *more: str) -> dict[str, Any]:
    done = run(folder, output, "--json", *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_data_twice_give_the_same_report_and_all_its_files(market: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(market, tmp_path / "moved")
    first, second = report(market, tmp_path / "one"), report(elsewhere, tmp_path / "two")
    assert first["report_hash"] == second["report_hash"]
    assert any("the warm-up lacks trades" in line for line in first["cautions"]), "its first day has no day before it"
    assert first["facts"]["source_kind"] == "parquet"
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"report.json", "report.html", "outcomes.parquet"}
    outcomes = parquet.read_table(tmp_path / "one" / "outcomes.parquet")
    assert outcomes.num_rows > 3
    ideal = report(market, tmp_path / "ideal", "--ideal")
    assert ideal["report_hash"] != first["report_hash"]


def test_missing_trades_are_refused_by_number_and_reported_when_they_are_allowed(market: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(market, broken)
    path = path_of(broken, "trades", "BTCUSDT", FIRST_DAY.date())
    table = read_whole(path)
    parquet.write_table(pa.concat_tables([table.slice(0, 30_000), table.slice(30_500)]), path)
    done = run(broken, tmp_path / "refused")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "500 trades are missing" in line
    assert "BTCUSDT" in line
    assert "--allow-gaps" in line
    assert not (tmp_path / "refused").exists()
    allowed = report(broken, tmp_path / "allowed", "--allow-gaps")
    assert "500 trades are missing" in json.dumps(allowed)


def _wrong(name: str, market: Path, tmp_path: Path) -> list[str]:
    if name == "no folder":
        return ["--parquet", str(tmp_path / "nothing")]
    if name == "a damaged file":
        shutil.copytree(market, tmp_path / "damaged")
        file = next((tmp_path / "damaged").rglob("trades.parquet"))
        file.write_bytes(file.read_bytes()[:-2_000])
        return ["--parquet", str(tmp_path / "damaged")]
    if name == "a slow input of another kind":
        folder = shutil.copytree(market, tmp_path / "odd")
        row = {"event_id": "odd", "kind": "moon", "event_time": FIRST_DAY, "values": [], "source": "rest"}
        write_rows(folder, "indicators", "BTCUSDT", [row | {"availability_assumed": False}])
        return ["--parquet", str(folder)]
    if name == "a contradictory strategy":
        text = json.loads(STRATEGY.read_text())
        text["atr_percentile_band"] = {"low": 0.9, "high": 0.1}
        (tmp_path / "wrong.json").write_text(json.dumps(text))
        return ["--strategy", str(tmp_path / "wrong.json")]
    return {
        "a symbol that is not there": ["--symbols", "DOGEUSDT"],
        "inverted dates": ["--from", "2026-03-03", "--to", "2026-03-02"],
        "a range without trades": ["--from", "2027-03-02", "--to", "2027-03-03"],
        "not a number": ["--risk", "nan"],
        "no strategy file": ["--strategy", str(tmp_path / "none.json")],
    }[name]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no folder", "there is no such folder"),
        ("a damaged file", "cannot be read"),
        ("a slow input of another kind", "row 0: kind is 'moon', and none of"),
        ("a contradictory strategy", "low must be below high"),
        ("a symbol that is not there", "there are no trades of DOGEUSDT"),
        ("inverted dates", "the range is empty"),
        ("a range without trades", "there are no trades in the range"),
        ("not a number", "finite"),
        ("no strategy file", "cannot be read"),
    ],
)
def test_what_is_wrong_is_one_clear_line(name: str, says: str, market: Path, tmp_path: Path) -> None:
    done = run(market, tmp_path / "out", *_wrong(name, market, tmp_path))
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_archive_files_are_replayed_as_they_are(tmp_path: Path) -> None:
    lines = ["agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"]
    lines += [
        f"{n},{60_000 + n % 50}.5,0.{n % 9 + 1}00,{n},{n},{START_MS + 43_200_000 + n * 1000},{n % 3 == 0}"
        for n in range(9_000)
    ]
    file = tmp_path / "BTCUSDT-aggTrades-2026-03-02.csv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    command = [
        sys.executable,
        "-m",
        "services.console",
        "backtest",
        "run",
        "--archive",
        str(file),
        *(*RANGE[:3], "2026-03-02T14:30"),
        "--no-funding",
    ]
    command += ["--strategy", str(STRATEGY), "--output", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"]["trades_read"] == 9_000


async def test_cutting_the_range_changes_no_evaluation(market: Path) -> None:
    source, span = ParquetSource(market), Span(START_MS, START_MS + DAY_MS)
    given = [placed for _, placed in read_strategy_files([STRATEGY])]

    async def evaluated(edges: list[int]) -> list[object]:
        reader = SymbolReader(source, "BTCUSDT", span, KernelSettings(), given, every=True)
        await reader.begin()
        parts = [part for edge in edges for part in await reader.advance(edge)]
        return [
            (item.situation.row.evaluation_time_ms, item.scores, item.signals) for p in parts for item in p.evaluations
        ]

    whole = await evaluated([span.end_ms])
    assert len(whole) > 5_000
    assert await evaluated([*range(span.start_ms + 7_777_777, span.end_ms, 7_777_777), span.end_ms]) == whole


def test_a_run_that_could_not_signal_says_why(market: Path, tmp_path: Path) -> None:
    begin = ("--from", "2026-03-02T00:00", "--to", "2026-03-02T00:30", "--warm-up-hours", "0", "--allow-gaps")
    found = report(market, tmp_path / "early", *begin)
    assert (found["signals"], found["tables"]["refused"]) == ([], [])
    silent = found["tables"]["silent"]
    assert sum(row["count"] for row in silent) == found["facts"]["evaluations"], silent
    assert {row["strategy"] for row in silent} == {"v51 v2"}
    assert silent[0]["reason"] == "no opinion: coverage of 30m below 95%", silent
    assert sum(row["share"] for row in silent) == pytest.approx(1)
    done = run(market, tmp_path / "early", *begin)
    assert "No signal was refused, because no evaluation came to one" in " ".join(done.stdout.split())
    assert "evaluations without a signal" in done.stdout
    assert "coverage of 30m below" in " ".join(done.stdout.split())
    page = (tmp_path / "early" / "report.html").read_text()
    assert "Evaluations without a signal" in page
    assert "because no evaluation came to one" in page


def test_evaluations_below_the_threshold_are_told_apart_from_those_without_an_opinion(
    market: Path, tmp_path: Path
) -> None:
    found = report(market, tmp_path / "usual")
    counts = {row["reason"]: row["count"] for row in found["tables"]["silent"]}
    assert counts["score below the threshold"] > 0.5 * found["facts"]["evaluations"], counts
    without = found["facts"]["evaluations"] - sum(counts.values())
    assert without == len(found["signals"]), "an evaluation is neither a signal nor counted as none"
