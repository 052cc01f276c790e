"""Missing trades come back from the venue or from archive files, and each gap says how it ended."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.market import Hole
from libs.contracts.timeline import PlacedHole
from libs.exchanges.venue import open_venue
from libs.kit.clock import SystemClock
from libs.kit.settings import VenueSettings
from libs.store.archives import find_archives
from libs.store.engine import read_session, write_session
from libs.store.feed_questions import feeds_now
from libs.store.feeds import write_feed_reports
from libs.store.gaps import write_gaps
from libs.store.migrate import upgrade
from libs.store.partitions import create_partitions, months_between
from libs.store.trades import write_trades
from libs.store.verification import Gap, verify
from services.console.history.importing import ImportOptions
from services.console.history.repairing import ArchivedTrades, VenueTrades, repair, trades_of
from tests.services.console.archive_files import trade_lines, write_file
from tests.services.console.history_database import import_all, opened_engine, rows_of
from tests.services.console.test_feeds import NOW_MS, report
from tests.services.exchange_simulator.running import running

START, STOP = dt.datetime(2024, 8, 7, tzinfo=dt.UTC), dt.datetime(2024, 8, 9, tzinfo=dt.UTC)
GAPS = (
    "SELECT first_missing_id, last_missing_id, outcome, cause, in_band, unfilled_count, closed_at IS NOT NULL"
    " FROM market_data_gaps ORDER BY first_missing_id, last_missing_id"
)
META = "SELECT row_count, missing_count FROM agg_trades_meta"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with opened_engine(database_url) as engine:
        yield engine


async def _gaps(engine: AsyncEngine) -> tuple[Gap, ...]:
    return (await verify(engine, "BTCUSDT", START, STOP)).gaps


async def _with_gaps(engine: AsyncEngine, folder: Path) -> None:
    lines = [*trade_lines(0, 100), *trade_lines(110, 90), *trade_lines(205, 100), *trade_lines(306, 10)]
    path = write_file(folder / "BTCUSDT-aggTrades-2024-08-08.csv", lines)
    await import_all(engine, [path], ImportOptions(allow_gaps=True))
    assert await rows_of(engine, META) == [(300, 16)]


async def test_an_archive_fills_what_it_has_and_proves_what_never_was(engine: AsyncEngine, tmp_path: Path) -> None:
    await _with_gaps(engine, tmp_path)
    async with write_session(engine) as session:
        # As live ingest would have said it: in band, and one hole that is wider than what is missing now.
        await session.raw.execute("UPDATE market_data_gaps SET in_band = true WHERE first_missing_id = 100")
        await session.raw.execute("DELETE FROM market_data_gaps WHERE first_missing_id = 305")
    # All of 100 to 109; of 200 to 204 only 200 and 201 exist; what is around 305 the file does not have.
    lines = [*trade_lines(50, 152), *trade_lines(205, 50)]
    (tmp_path / "archive").mkdir()
    archive = write_file(tmp_path / "archive" / "BTCUSDT-aggTrades-2024-08.zip", lines)
    source = ArchivedTrades(find_archives([archive]).archives)
    ended = await repair(engine, source, "BTCUSDT", await _gaps(engine), SystemClock())
    assert [(end.first_id, end.last_id, end.outcome, end.filled, end.never_existed, end.lost) for end in ended] == [
        (100, 109, "filled", 10, 0, 0),
        (200, 204, "filled", 2, 3, 0),
        (305, 305, "lost", 0, 0, 1),
    ]
    assert await rows_of(engine, GAPS) == [
        (100, 109, "filled", "archive_has_a_gap", True, 0, True),
        (200, 204, "filled", "archive_has_a_gap", False, 3, True),
        (202, 204, "never_existed", "not_at_venue", False, 3, True),
        (305, 305, "lost", "found_by_verify", False, 1, True),
    ]
    assert await rows_of(engine, META) == [(312, 1)]
    # Again: nothing changes, also of what never existed.
    before = await rows_of(engine, GAPS)
    await repair(engine, source, "BTCUSDT", await _gaps(engine), SystemClock())
    assert await rows_of(engine, GAPS) == before


async def test_lost_ids_of_a_day_are_those_that_no_repair_has_found(engine: AsyncEngine, tmp_path: Path) -> None:
    async def lost() -> int | None:
        async with read_session(engine) as session:
            [feed] = await feeds_now(session)
            return feed.lost_24h

    await _with_gaps(engine, tmp_path)
    async with write_session(engine) as session:
        # As live ingest would have said it.
        await session.raw.execute("DELETE FROM market_data_gaps WHERE first_missing_id = 200")
        hole = Hole("BTCUSDT", 200, 204, NOW_MS - 60_000, NOW_MS - 59_000, "rate_limited")
        await write_gaps(session, [PlacedHole(-1, hole)])
        await write_feed_reports(session, [(report("trades", "BTCUSDT", "live"), -1)])
    assert await lost() == 5
    (tmp_path / "better").mkdir()
    better = write_file(tmp_path / "better" / "BTCUSDT-aggTrades-2024-08.csv", trade_lines(199, 2))
    source = ArchivedTrades(find_archives([better]).archives)
    await repair(engine, source, "BTCUSDT", await _gaps(engine), SystemClock())
    assert await lost() == 4


async def test_a_gap_that_never_was_ends_as_such(engine: AsyncEngine, tmp_path: Path) -> None:
    await _with_gaps(engine, tmp_path)
    source = ArchivedTrades(find_archives([tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv"]).archives)
    ended = await repair(engine, source, "BTCUSDT", await _gaps(engine), SystemClock())
    assert [(end.outcome, end.never_existed) for end in ended] == [
        ("never_existed", 10),
        ("never_existed", 5),
        ("never_existed", 1),
    ]
    assert await rows_of(engine, META) == [(300, 0)]
    assert {row[2] for row in await rows_of(engine, GAPS)} == {"never_existed"}


async def test_what_a_better_file_brings_ends_the_verdict_of_a_worse_one(engine: AsyncEngine, tmp_path: Path) -> None:
    await _with_gaps(engine, tmp_path)
    worse = ArchivedTrades(find_archives([tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv"]).archives)
    await repair(engine, worse, "BTCUSDT", await _gaps(engine), SystemClock())
    assert (await verify(engine, "BTCUSDT", START, STOP)).sound
    # All of 100 to 109; of 200 to 204 only the first, and not what follows; 305 is not looked at.
    (tmp_path / "better").mkdir()
    lines = [*trade_lines(50, 100), *trade_lines(199, 2)]
    better = ArchivedTrades(
        find_archives([write_file(tmp_path / "better" / "BTCUSDT-aggTrades-2024-08.csv", lines)]).archives
    )
    ended = await repair(engine, better, "BTCUSDT", await _gaps(engine), SystemClock())
    assert [(end.outcome, end.filled, end.never_existed, end.lost) for end in ended] == [
        ("filled", 10, 0, 0),
        ("lost", 1, 0, 4),
        ("never_existed", 0, 1, 0),
    ]
    assert [(row[0], row[2], row[5]) for row in await rows_of(engine, GAPS)] == [
        (100, "filled", 0),
        (200, "lost", 4),
        (305, "never_existed", 1),
    ]
    assert await rows_of(engine, META) == [(311, 4)]
    assert [day.missing for day in (await verify(engine, "BTCUSDT", START, STOP)).days] == [4]
    # The rest as well: what was proven before stays said.
    lines = trade_lines(199, 7)
    rest = ArchivedTrades(
        find_archives([write_file(tmp_path / "better" / "BTCUSDT-aggTrades-2024-09.csv", lines)]).archives
    )
    ended = await repair(engine, rest, "BTCUSDT", await _gaps(engine), SystemClock())
    assert [(end.first_id, end.outcome) for end in ended] == [(201, "filled"), (305, "never_existed")]
    assert [row[2] for row in await rows_of(engine, GAPS)] == ["filled", "filled", "never_existed"]
    assert (await verify(engine, "BTCUSDT", START, STOP)).sound


async def test_the_venue_fills_a_gap_over_several_pages(engine: AsyncEngine, tmp_path: Path) -> None:
    await upgrade(engine)
    async with running(tmp_path, seed=5, symbols="BTCUSDT", rate=200.0) as simulator:
        settings = VenueSettings(binance_rest_url=simulator.url, requests_dir=tmp_path / "requests")
        async with open_venue(settings) as venue:
            newest = (await venue.market_data.newest_agg_trades("BTCUSDT"))[-1].agg_id
            first = newest - 2600
            pages = [await venue.market_data.agg_trades_from("BTCUSDT", first + 1000 * page) for page in range(3)]
            trades = trades_of("BTCUSDT", [trade for page in pages for trade in page][:2600])
            kept = (trades.agg_id <= first + 100) | (trades.agg_id > first + 2500)
            span = int(trades.trade_time[0]), int(trades.trade_time[-1])
            async with write_session(engine) as session:
                await create_partitions(session, months_between(*span))
                await write_trades(session, [trades.select(kept)])
            times = [dt.datetime.fromtimestamp(at / 1000, dt.UTC) for at in span]
            asked = (engine, "BTCUSDT", times[0], times[1] + dt.timedelta(seconds=1))
            gaps = (await verify(*asked)).gaps
            assert [(gap.first_id, gap.last_id) for gap in gaps] == [(first + 101, first + 2500)]
            source = VenueTrades(venue.market_data)
            [end] = await repair(engine, source, "BTCUSDT", gaps, venue.clock)
            assert (end.outcome, end.filled, source.refusals) == ("filled", 2400, [])
            assert (await verify(*asked)).sound
    assert await rows_of(engine, "SELECT outcome, cause FROM market_data_gaps") == [("filled", "found_by_verify")]
    assert await rows_of(engine, META) == [(2600, 0)]


async def test_what_the_venue_refuses_stays_lost(engine: AsyncEngine, tmp_path: Path) -> None:
    await _with_gaps(engine, tmp_path)
    async with running(tmp_path / "venue", seed=5, symbols="ETHUSDT", rate=20.0) as simulator:
        settings = VenueSettings(binance_rest_url=simulator.url, requests_dir=tmp_path / "requests")
        async with open_venue(settings) as venue:
            source = VenueTrades(venue.market_data)
            ended = await repair(engine, source, "BTCUSDT", await _gaps(engine), venue.clock)
    assert {end.outcome for end in ended} == {"lost"}
    assert len(source.refusals) == 3
    assert await rows_of(engine, META) == [(300, 16)]
