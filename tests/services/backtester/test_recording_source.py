"""Recordings as a source: independently derived trades, the inputs beside them, and one line for a bad file."""

import gzip
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarkPriceObserved
from services.backtester.sources import Settlement, Span
from services.backtester.sources.recording import open_recordings
from tests.services.backtester.captures import ALWAYS, agg_trades, capture, derived, plain, trades_of
from tests.services.exchange_simulator.running import AFTER_MIDNIGHT, BEFORE_MIDNIGHT, SLICE

MIDNIGHT_MS = 1_680_652_800_000


async def test_single_trades_become_the_independently_derived_aggregates() -> None:
    source = open_recordings([SLICE])
    rows = await trades_of(source)
    table = [(int(a), Decimal(p), Decimal(q), int(t), m == "true") for a, p, q, _first, _last, t, m in derived()]
    known = np.maximum.accumulate([row[3] for row in table])
    assert plain(rows) == [(*row[:3], int(time), row[4]) for row, time in zip(table, known, strict=True)]
    stored = await source.stored("BTCUSDT", ALWAYS)
    assert stored is not None
    assert (stored.rows, stored.missing) == (len(table), 0)
    assert source.description.endswith("2024-08-08 23:54:16 to 2024-08-08 23:56:16")


async def test_two_files_are_one_recording_with_its_mark_prices_and_the_settlement_between_them() -> None:
    source = open_recordings([AFTER_MIDNIGHT, BEFORE_MIDNIGHT])
    marks = [placed async for placed in source.events("BTCUSDT", ALWAYS)]
    events = [placed.event for placed in marks if isinstance(placed.event, MarkPriceObserved)]
    assert len(events) == len(marks) == 21
    times = [event.event_time_ms for event in events]
    assert times == sorted(times)
    assert len({time // 2_000 for time in times}) == len(times)
    at_midnight = next(event for event in events if event.event_time_ms == MIDNIGHT_MS + 10)
    assert (at_midnight.mark_price, at_midnight.funding_rate) == (Decimal("28155.10000000"), Decimal("0.00002760"))
    assert marks[events.index(at_midnight)].effective_at_ms == MIDNIGHT_MS + 8
    settled = await source.funding("BTCUSDT", ALWAYS)
    assert settled == [Settlement(MIDNIGHT_MS, Decimal("0.00002760"), Decimal("28155.10000000"))]
    assert await source.funding("BTCUSDT", Span(MIDNIGHT_MS + 1, ALWAYS.end_ms)) == []


async def test_forced_orders_count_once_and_their_stream_makes_silence_mean_calm(tmp_path: Path) -> None:
    order: dict[str, object] = {
        "s": "BTCUSDT",
        "S": "SELL",
        "o": "LIMIT",
        "f": "IOC",
        "q": "0.014",
        "p": "59800",
        "ap": "59910.1",
    }
    order |= {"X": "FILLED", "l": "0.014", "z": "0.014", "T": 1_723_161_300_000}
    told = json.dumps({"e": "forceOrder", "E": 1_723_161_300_004, "o": order}).encode()
    forced = capture(tmp_path / "forced.raw.gz", [told, told], "!forceOrder@arr")
    source = open_recordings([SLICE, forced])
    received, liquidation = [placed async for placed in source.events("BTCUSDT", ALWAYS)]
    assert isinstance(received.event, FeedStatusChanged)
    assert isinstance(liquidation.event, LiquidationObserved)
    assert liquidation.event.average_price == Decimal("59910.1")
    assert liquidation.effective_at_ms == 1_723_161_300_002


async def test_ids_that_a_capture_has_missed_are_missing_trades(tmp_path: Path) -> None:
    lines = gzip.decompress(SLICE.read_bytes()).splitlines(keepends=True)
    single = tmp_path / "single.raw.gz"
    single.write_bytes(gzip.compress(b"".join(lines[:1_000] + lines[1_250:])))
    stored = await open_recordings([single]).stored("BTCUSDT", ALWAYS)
    assert stored is not None
    assert stored.missing == 250
    rows = agg_trades(derived())
    stored = await open_recordings([capture(tmp_path / "agg.raw.gz", rows[:50] + rows[60:])]).stored("BTCUSDT", ALWAYS)
    assert stored is not None
    assert stored.missing == 10


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.console", "backtest", "run", "--from", "2023-04-04T23:59:38"]
    command += ["--to", "2023-04-05T00:00:20", "--warm-up-hours", "0", "--strategy", "strategies/v52.json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def recordings(*paths: Path) -> list[str]:
    return [word for path in paths for word in ("--recording", str(path))]


def test_a_run_over_a_recording_reports_its_trades_and_what_it_has_of_each_input(tmp_path: Path) -> None:
    done = run(*recordings(BEFORE_MIDNIGHT, AFTER_MIDNIGHT), "--output", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["facts"]["trades_read"] > 300
    assert report["facts"]["source"].startswith(f"recording {BEFORE_MIDNIGHT.name}, {AFTER_MIDNIGHT.name}, 2023-04-04")
    shares = {row["name"]: row["share"] for row in report["coverage"]}
    assert shares["trades"] == 1.0
    assert shares["mark_price"] == shares["estimated_funding_rate"] == 1.0
    assert shares["open_interest_change_percent"] == 0.0


def _wrong(name: str, folder: Path) -> list[str]:
    path = folder / "broken.raw.gz"
    content = AFTER_MIDNIGHT.read_bytes()
    if name == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif name == "a bit has flipped":
        path.write_bytes(content[:5_000] + bytes([content[5_000] ^ 8]) + content[5_001:])
    elif name == "half a line":
        path = folder / "broken.raw"
        path.write_bytes(gzip.decompress(content)[:-60])
    elif name == "an unreadable mark price":
        path.write_bytes(gzip.compress(gzip.decompress(content).replace(b'"i":"28165.04857143"', b'"i":7', 1)))
    elif name == "no recording":
        path.write_bytes(gzip.compress(b"hello\n"))
    elif name == "two sources":
        return [*recordings(AFTER_MIDNIGHT), "--timeline"]
    elif name == "another range":
        return [*recordings(SLICE)]
    return recordings(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cut off", "broken.raw.gz): name raw captures"),
        ("a bit has flipped", "broken.raw.gz): name raw captures"),
        ("half a line", "is in no known format"),
        ("an unreadable mark price", "1 recorded events cannot be read, the first {"),
        ("no recording", "the first line is neither a capture's nor a table's"),
        ("no file", "No such file or directory"),
        ("two sources", "--recording and --timeline are two sources"),
        (
            "another range",
            "there are no trades in the range (BTCUSDT in recording um_btcusdt_trades_20240808T2354.raw.gz, 2024-",
        ),
    ],
)
def test_what_is_wrong_is_one_clear_line(name: str, says: str, tmp_path: Path) -> None:
    done = run(*_wrong(name, tmp_path), "--output", str(tmp_path / "out"))
    assert done.returncode in (1, 2)
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    if name != "two sources":
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
