"""`perpstream feeds` says how each feed is, as a table and as JSON, and its exit code says whether all are live."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local.runfile import RunFile
from libs.contracts.market import NEVER_EXISTED, FeedStatusChanged, Hole
from libs.contracts.timeline import PlacedHole
from libs.kit.clock import BELIEVABLE_AHEAD_MS
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.feed_questions import FeedNow
from libs.store.feeds import write_feed_reports
from libs.store.gaps import write_gaps
from services.console.feeds import SILENT_MS, Row
from services.console.venues import latest_simulated_ms
from services.console.watch.words import delay
from tests.services.console.running import run_console
from tests.services.exchange_simulator.running import running

NOW_MS = 1_723_161_599_000


def report(feed: str, symbol: str, state: str, at_ms: int = NOW_MS) -> FeedStatusChanged:
    return FeedStatusChanged(
        event_id=f"{feed}:{symbol}:{state}:{at_ms}",
        event_time_ms=at_ms,
        feed=feed,
        symbol=symbol,
        state=state,  # type: ignore[arg-type]
        detail="",
        last_event_time_ms=at_ms - 1_500,
        since_ms=at_ms - 3_700_000,
        events_per_second=1234.56,
        delay_ms=18.26,
        clock_offset_ms=-3.4,
        gaps_open=1 if state == "stale" else 0,
        gaps_filled=12,
        completeness_1h_ppm=1_000_000,
        completeness_24h_ppm=999_999,
    )


@pytest.fixture(scope="module")
def database(module_database_url: str) -> str:
    asyncio.run(_write(module_database_url, []))
    return module_database_url


async def _write(url: str, reports: Sequence[FeedStatusChanged], holes: Sequence[Hole] = ()) -> None:
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    if reports:
        async with write_session(engine) as session:
            await write_feed_reports(session, [(each, -1) for each in reports])
            await write_gaps(session, [PlacedHole(-1, hole) for hole in holes])
    await engine.dispose()


def run(database: str, *arguments: str, columns: int = 112) -> "subprocess.CompletedProcess[str]":
    variables = {"PERPSTREAM_STATE_DIR": "/nowhere", "PERPSTREAM_DATABASE_URL": database, "COLUMNS": str(columns)}
    return run_console("feeds", *arguments, **variables)


def test_the_table_the_json_and_the_exit_code(database: str) -> None:
    nothing = run(database)
    assert (nothing.returncode, nothing.stdout) == (1, "no feed has reported yet\n")
    live = [report("trades", "BTCUSDT", "live"), report("mark_price", "BTCUSDT", "live")]
    asyncio.run(_write(database, live))
    assert run(database).returncode == 0
    asyncio.run(
        _write(
            database,
            [report("trades", "ETHUSDT", "stale"), report("trades", "SOLUSDT", "live", NOW_MS - SILENT_MS - 1)],
        )
    )
    done = run(database)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1:4] == [["mark_price"], lines[2], ["trades"]]
    # Ages are cut to seconds; 1 h 01 m and 40 s ago the state began.
    figures = ["1", "235", "18", "ms", "-3", "0", "12", "0", "100.0000", "99.9999"]
    assert lines[4] == ["BTCUSDT", "live", "1h", "01m", "1s", *figures]
    assert lines[5][:2] == ["ETHUSDT", "stale"]
    assert lines[6][:5] == ["SOLUSDT", "no", "report", "1m", "00s"]
    facts = json.loads(run(database, "--json").stdout)
    assert [(row["symbol"], row["live"], row["reported"]) for row in facts] == [
        ("BTCUSDT", True, True),
        ("BTCUSDT", True, True),
        ("ETHUSDT", False, True),
        ("SOLUSDT", False, False),
    ]
    assert facts[1]["last_event_age_ms"] == 1_500
    assert run(database, "--feed", "mark_price").returncode == 0
    assert run(database, "--symbol", "ethusdt", "--json").returncode == 1
    narrow = run(database, columns=80).stdout.splitlines()
    assert max(map(len, narrow)) <= 80
    assert "ETHUSDT" in narrow[5]
    assert narrow[5].split()[-5:] == ["18", "ms", "1", "0", "99.9999"]
    unknown = run(database, "--feed", "nope")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "take one of mark_price, trades" in " ".join(unknown.stderr.split())


def test_lost_trades_of_a_day_are_shown_and_counted(database: str) -> None:
    day_ms = 86_400_000
    lost = [
        Hole("LTCUSDT", 5, 9, NOW_MS - day_ms, NOW_MS - 1_000, "rate_limited"),
        Hole("LTCUSDT", 20, 29, NOW_MS - 3_000, NOW_MS - 2_000, NEVER_EXISTED),
        Hole("LTCUSDT", 1, 2, NOW_MS - 2 * day_ms, NOW_MS - day_ms - 1, "rate_limited"),
    ]
    asyncio.run(_write(database, [report("trades", "LTCUSDT", "live")], lost))
    [row] = json.loads(run(database, "--symbol", "LTCUSDT", "--json").stdout)
    assert row["lost_24h"] == 5
    assert run(database, "--symbol", "LTCUSDT", columns=80).stdout.splitlines()[-1].split()[-2] == "5"


def test_a_report_from_the_far_future_spoils_no_other_and_gives_way_to_the_next(database: str) -> None:
    def states() -> list[tuple[bool, bool]]:
        rows = json.loads(run(database, "--feed", "funding", "--json").stdout)
        return [(row["reported"], row["live"]) for row in rows]

    later = 4_070_908_800_000
    asyncio.run(_write(database, [report("funding", "BTCUSDT", "live"), report("funding", "ETHUSDT", "live", later)]))
    assert states() == [(True, True), (False, False)]
    asyncio.run(_write(database, [report("funding", "ETHUSDT", "live")]))
    assert states() == [(True, True), (True, True)]
    asyncio.run(_write(database, [report("funding", "ETHUSDT", "stale", NOW_MS - 1_000)]))
    assert states() == [(True, True), (True, True)], "what is a little late is older"


async def test_the_simulator_says_how_late_it_can_be(tmp_path: Path) -> None:
    async with running(tmp_path, symbols=("BTCUSDT",), rate=1.0, speed=10.0) as venue:
        of_stack = RunFile(version="", supervisor_pid=0, supervisor_started_at=0, simulator_url=venue.url)
        latest = await latest_simulated_ms(of_stack)
        now = (await venue.get("/sim/status"))["venue_time_ms"]
        assert latest is not None
        assert now < latest <= now + 10 * BELIEVABLE_AHEAD_MS
    assert await latest_simulated_ms(of_stack) is None


def test_a_delay_of_hours_is_a_time_span() -> None:
    assert [delay(value) for value in (None, 18.3, -2.6, 9_999, 24_360_000)] == [
        "–",
        "18 ms",
        "-3 ms",
        "9999 ms",
        "6h 46m",
    ]


def test_a_feed_that_tells_its_changes_only_is_not_overdue() -> None:
    known = FeedNow(
        feed="funding_rate",
        symbol="BTCUSDT",
        state="live",
        since_ms=0,
        detail="",
        reported_ms=0,
        last_event_ms=None,
        events_per_second=None,
        delay_ms=None,
        clock_offset_ms=None,
        gaps_open=0,
        gaps_filled=0,
        completeness_1h_ppm=None,
        completeness_24h_ppm=None,
        lost_24h=None,
    )
    row = Row(known, NOW_MS)
    assert (row.live, row.last_event_age_ms) == (True, None)
