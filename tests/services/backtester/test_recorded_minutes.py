"""The exchange's recorded minutes through the backtester: every row of indicators equals sums of exact decimals made here.

The computation below knows trades, windows and holes and nothing of the kernel: no buckets that are kept, no integers, no
increments. The minutes are too few for a 70-minute hold; an ATR there is only once silence has filled its candles.
"""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from libs.indicators.features import WINDOW_NAMES, FeatureRow, WindowName
from libs.indicators.settings import KernelSettings
from libs.trading.columns import Columns
from services.backtester.reading import SymbolReader
from services.backtester.request import read_request
from services.backtester.result import BacktestResult
from services.backtester.runner import Run
from services.backtester.sources import Span, Stretch
from services.backtester.sources.archive import ArchiveSource
from services.backtester.strategies import read_strategy_files
from tests.fakes.progress import Unwatched
from tests.services.backtester.overheard import Overheard

STRATEGY = Path("strategies/v51.json")
SHARED = Path("../shared/data/market")
BUCKET_MS, DAY_MS = 15_000, 86_400_000
WINDOWS_MS = dict(zip(WINDOW_NAMES, (300_000, 1_800_000, 14_400_000), strict=True))
SIZES_MS, CANDLE_MS, PERIOD, REMEMBERED = 86_400_000, 300_000, 14, 144
RECORDINGS = {
    "two minutes of 2024": Path("tests/golden/recordings/um_btcusdt_aggtrades_derived_20240808.csv.gz"),
    "six minutes of 2024": SHARED / "um_btcusdt_aggtrades_derived_20240808.csv.gz",
    "nine minutes of 2023 across midnight": SHARED / "um_btcusdt_aggtrades_derived_20230404_05.csv.gz",
}


class Trade(NamedTuple):
    agg_id: int
    price: Decimal
    quantity: Decimal
    time_ms: int
    sold: bool

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True)
class Recording:
    """Trades as the file tells them, and a folder with the same lines in one archive file a day."""

    trades: list[Trade]
    folder: Path

    @property
    def days(self) -> tuple[datetime, datetime]:
        first, last = (
            datetime.fromtimestamp(one.time_ms / 1000, UTC).date() for one in (self.trades[0], self.trades[-1])
        )
        begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
        return begin, begin + timedelta(days=(last - first).days + 1)

    @property
    def span(self) -> Span:
        begin, end = self.days
        return Span(int(begin.timestamp() * 1000), int(end.timestamp() * 1000))


def recorded(name: str, folder: Path, without: range = range(0)) -> Recording:
    """The recording, less the trades whose ids are in `without`; skips where the shared data are not."""
    path = RECORDINGS[name]
    if not path.exists():
        pytest.skip(f"SKIPPED, NOT PROVEN: {path} is not here")
    head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines = [line for line in lines if int(line.split(",")[0]) not in without]
    trades = [_trade(line) for line in lines]
    folder.mkdir()
    for day in sorted({trade.time_ms // DAY_MS for trade in trades}):
        of_day = [line for line, trade in zip(lines, trades, strict=True) if trade.time_ms // DAY_MS == day]
        date = datetime.fromtimestamp(day * 86_400, UTC).date()
        (folder / f"BTCUSDT-aggTrades-{date}.csv.gz").write_bytes(gzip.compress("\n".join([head, *of_day]).encode()))
    return Recording(trades, folder)


def _trade(line: str) -> Trade:
    agg_id, price, quantity, _, _, time_ms, maker = line.split(",")
    return Trade(int(agg_id), Decimal(price), Decimal(quantity), int(time_ms), maker == "true")


@dataclass
class Expected:
    """What an evaluation has to say, from all trades before it."""

    trades: Sequence[Trade]
    at_ms: int
    seen: list[Trade] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = [trade for trade in self.trades if trade.time_ms < self.at_ms]

    def inside(self, length_ms: int) -> list[Trade]:
        return [trade for trade in self.seen if trade.time_ms >= self.at_ms - length_ms]

    def known(self, length_ms: int, until_ms: int | None = None) -> float:
        """The share of the window's quarter minutes of which every trade is there: not that of the first trade or one before,
        nor one that the time between the two trades around missing ids touches."""
        end_ms = self.at_ms if until_ms is None else until_ms
        first = self.trades[0].time_ms // BUCKET_MS + 1
        buckets = range((end_ms - length_ms) // BUCKET_MS, end_ms // BUCKET_MS)
        unknown = {
            bucket
            for one, two in zip(self.trades, self.trades[1:], strict=False)
            if two.agg_id > one.agg_id + 1
            for bucket in range(one.time_ms // BUCKET_MS, two.time_ms // BUCKET_MS + 1)
        }
        return sum(bucket >= first and bucket not in unknown for bucket in buckets) / len(buckets)

    def candle_ends(self) -> list[int]:
        """When each candle since the first trade's own has closed (ms)."""
        first = self.trades[0].time_ms // CANDLE_MS
        return [candle * CANDLE_MS for candle in range(first + 1, self.at_ms // CANDLE_MS + 1)]

    def atr(self) -> Decimal | None:
        """After Wilder, over the candles that are remembered; one without a trade stands still at the price before."""
        ranges, close = list[Decimal](), None
        for end_ms in self.candle_ends():
            prices = [one.price for one in self.seen if end_ms - CANDLE_MS <= one.time_ms < end_ms] or [
                close or Decimal(0)
            ]
            met = prices if close is None else [*prices, close]
            ranges.append(max(met) - min(met))
            close = prices[-1]
        ranges = ranges[-REMEMBERED:]
        if len(ranges) < PERIOD:
            return None
        found = sum(ranges[:PERIOD], Decimal(0)) / PERIOD
        for one in ranges[PERIOD:]:
            found += (one - found) / PERIOD
        return found

    def window(self, name: WindowName, decimals: int) -> dict[str, Any]:
        inside = self.inside(WINDOWS_MS[name])
        volume = sum((trade.quantity for trade in inside), Decimal(0))
        notional = sum((trade.notional for trade in inside), Decimal(0))
        finest = Decimal(1).scaleb(-decimals - 4)
        return {
            "window": name,
            "cvd": sum((-trade.quantity if trade.sold else trade.quantity for trade in inside), Decimal(0)),
            "volume": volume,
            "notional": notional,
            "vwap": (notional / volume).quantize(finest, ROUND_HALF_UP) if volume else None,
            "coverage": self.known(WINDOWS_MS[name]),
        }


def evaluations(recording: Recording) -> list[int]:
    """Every quarter minute from the first trade on, before the end of its last day."""
    first = recording.trades[0].time_ms // BUCKET_MS + 1
    return [bucket * BUCKET_MS for bucket in range(first, recording.span.end_ms // BUCKET_MS)]


def sampled(times_ms: list[int], last_trade_ms: int) -> list[int]:
    """All of them while there are trades and for six minutes after, then one in 100."""
    near = [time_ms for time_ms in times_ms if time_ms <= last_trade_ms + 360_000]
    return near + times_ms[len(near) :: 100]


def rows_of(recording: Recording) -> dict[int, FeatureRow]:
    """Indicator rows of all evaluations, read as a run reads them."""
    given = [placed for _, placed in read_strategy_files([STRATEGY])]
    reader = SymbolReader(
        ArchiveSource([recording.folder]), "BTCUSDT", recording.span, KernelSettings(), given, every=True
    )

    async def read() -> list[Stretch]:
        await reader.source.stored("BTCUSDT", recording.span)
        await reader.begin()
        return await reader.advance(recording.span.end_ms)

    rows = [item.situation.row for part in asyncio.run(read()) for item in part.evaluations]
    return {row.evaluation_time_ms: row for row in rows if row.evaluation_time_ms < recording.span.end_ms}


def assert_row(row: FeatureRow, expected: Expected, decimals: int) -> None:
    assert row.price == expected.seen[-1].price
    assert row.last_agg_id == expected.seen[-1].agg_id
    for window in row.windows:
        wanted = expected.window(window.window, decimals)
        assert {name: getattr(window, name) for name in wanted} == wanted, (expected.at_ms, window.window)
    assert_atr(row, expected, Decimal(1).scaleb(-decimals))
    assert row.size_coverage == expected.known(SIZES_MS)
    assert row.large_coverage == expected.known(WINDOWS_MS["5m"])
    sizes = sorted(trade.notional for trade in expected.seen)
    for found, percent in ((row.large_p95, 95), (row.large_p99, 99)):
        exact = sizes[-(-len(sizes) * percent // 100) - 1]
        assert found is not None
        assert abs(found - exact) <= exact / 128  # sizes are remembered to a part in 128


def assert_atr(row: FeatureRow, expected: Expected, tick: Decimal) -> None:
    """It is kept in 65536ths of a tick, each candle rounded down."""
    exact, ends = expected.atr(), expected.candle_ends()
    assert (row.atr is None) == (exact is None)
    if row.atr is not None and exact is not None:
        assert abs(row.atr - exact) <= tick / 1_000
    assert row.atr_coverage == sum(expected.known(CANDLE_MS, end_ms) == 1 for end_ms in ends[-PERIOD:]) / PERIOD


def decimals_of(values: Sequence[Decimal]) -> int:
    """The fewest decimals that hold every price of the file."""
    exponents = [value.normalize().as_tuple().exponent for value in values]
    return max(0, *(-exponent for exponent in exponents if isinstance(exponent, int)))


@pytest.mark.parametrize("name", list(RECORDINGS))
def test_every_row_equals_exact_sums(name: str, tmp_path: Path) -> None:
    recording = recorded(name, tmp_path / "archive")
    rows, times_ms = rows_of(recording), evaluations(recording)
    assert list(rows) == times_ms
    decimals = decimals_of([trade.price for trade in recording.trades])
    for time_ms in sampled(times_ms, recording.trades[-1].time_ms):
        assert_row(rows[time_ms], Expected(recording.trades, time_ms), decimals)


def test_missing_trades_are_refused_or_counted_as_unknown(tmp_path: Path) -> None:
    recording = recorded("two minutes of 2024", tmp_path / "archive", without=range(700, 800))
    refused = command(recording, tmp_path / "refused")
    assert refused.returncode == 1
    assert "100 trades are missing" in refused.stderr
    found = json.loads(command(recording, tmp_path / "allowed", "--allow-gaps").stdout)
    assert "100 trades are missing" in json.dumps(found["coverage"])
    rows, times_ms = rows_of(recording), evaluations(recording)
    decimals = decimals_of([trade.price for trade in recording.trades])
    shares = {rows[time_ms].windows[0].coverage for time_ms in times_ms}
    assert len(shares) > 3
    for time_ms in sampled(times_ms, recording.trades[-1].time_ms):
        assert_row(rows[time_ms], Expected(recording.trades, time_ms), decimals)


def command(recording: Recording, output: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    begin, end = recording.days
    line = [sys.executable, "-m", "services.console", "backtest", "run", "--archive", str(recording.folder)]
    line += ["--from", str(begin.date()), "--to", str(end.date()), "--warm-up-hours", "0", "--no-funding"]
    line += ["--strategy", str(STRATEGY), "--output", str(output), "--json", *more]
    return subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("name", ["two minutes of 2024", "nine minutes of 2023 across midnight"])
def test_the_command_reads_all_of_it_and_trades_none(name: str, tmp_path: Path) -> None:
    recording = recorded(name, tmp_path / "archive")
    refused = command(recording, tmp_path / "refused")
    assert "name a range that has trades at both ends" in refused.stderr, "minutes are no whole day"
    done = command(recording, tmp_path / "out", "--allow-gaps")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["facts"]["trades_read"] == len(recording.trades)
    assert report["facts"]["evaluations"] == len(evaluations(recording))
    assert report["trades"] == []
    assert (tmp_path / "out" / "report.html").stat().st_size > 100_000


def run_over(recording: Recording, output: Path) -> tuple[BacktestResult, list[Columns]]:
    begin, end = recording.days
    values = {
        "source": "archive",
        "path": recording.folder,
        "view": "repaired",
        "start": begin,
        "end": end,
        "allow_gaps": True,
    }
    values |= {"strategies": [STRATEGY], "warm_up_hours": 0, "costs": {"funding": False}, "output": output}
    heard: list[Columns] = []

    def listen(parts: list[Stretch]) -> list[Stretch]:
        heard.extend(columns for part in parts for columns in part.columns)
        return parts

    market = Overheard(ArchiveSource([recording.folder]), lambda: listen)
    return asyncio.run(Run(read_request(values), market, Unwatched()).run()), heard


@pytest.mark.parametrize("name", list(RECORDINGS))
def test_a_run_decides_on_the_nearest_floats_and_draws_the_candles(name: str, tmp_path: Path) -> None:
    recording = recorded(name, tmp_path / "archive")
    result, heard = run_over(recording, tmp_path / "out")
    found = {int(time_ms): (part, row) for part in heard for row, time_ms in enumerate(part.time_ms)}
    for time_ms in sampled(evaluations(recording), recording.trades[-1].time_ms):
        part, row = found[time_ms]
        expected = Expected(recording.trades, time_ms)
        for window in WINDOW_NAMES:
            wanted, columns = expected.window(window, 8), part.window(window)
            for what in ("cvd", "volume", "notional"):
                assert getattr(columns, what)[row] == float(wanted[what])
            volume = float(wanted["volume"])
            vwap = float(wanted["notional"]) / volume if volume else np.nan
            assert np.array_equal(columns.vwap[row], vwap, equal_nan=True)
            assert part.coverage(window)[row] == wanted["coverage"]
    bars = result.candles["BTCUSDT"]
    by_bar: dict[int, list[float]] = {}
    for trade in recording.trades:
        by_bar.setdefault(trade.time_ms // bars.interval_ms * bars.interval_ms, []).append(float(trade.price))
    drawn = zip(*(getattr(bars, what).tolist() for what in ("time_ms", "open", "high", "low", "close")), strict=True)
    assert list(drawn) == [(at, one[0], max(one), min(one), one[-1]) for at, one in sorted(by_bar.items())]
