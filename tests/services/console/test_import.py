"""Archive files in PostgreSQL: every row once, also after a cut, with holes as facts and other markets refused."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.market import Hole
from libs.kit.errors import ConfigurationError
from libs.store import archives, imports
from libs.store.engine import WriteSession, write_session
from libs.store.market_source import claim_source
from libs.store.migrate import upgrade
from services.console.history import importing
from services.console.history.importing import ImportOptions
from tests.services.console.archive_files import HEADER, START_MS, trade_line, trade_lines, write_file
from tests.services.console.history_database import import_all, opened_engine, rows_of

META = (
    "SELECT first_id, last_id, row_count, missing_count, conflict_count FROM agg_trades_meta WHERE symbol = 'BTCUSDT'"
)
GAPS = "SELECT first_missing_id, last_missing_id, outcome, cause, in_band, unfilled_count FROM market_data_gaps"
ROWS = "SELECT agg_id, price, quantity, first_trade_id, buyer_is_maker, trade_time FROM agg_trades ORDER BY agg_id"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with opened_engine(database_url) as engine:
        yield engine


def _day(folder: Path, day: int, lines: Sequence[str]) -> Path:
    return write_file(folder / f"BTCUSDT-aggTrades-2024-08-{day:02d}.zip", [HEADER, *lines], checksum=True)


async def test_days_over_a_month_are_imported_once(engine: AsyncEngine, tmp_path: Path) -> None:
    # Ten trades a millisecond from one second before midnight: the second day begins at id 10,000.
    for day, first in ((7, 0), (8, 10_000)):
        _day(tmp_path, day, trade_lines(first, 10_000))
    reports = await import_all(engine, [tmp_path])
    assert [(report.state, report.checksum, report.rows, report.added) for report in reports] == [
        ("imported", True, 10_000, 10_000)
    ] * 2
    assert await rows_of(engine, META) == [(0, 19_999, 20_000, 0, 0)]
    oldest = (await rows_of(engine, f"{ROWS} LIMIT 1"))[0]
    assert [str(value) for value in oldest[:5]] == ["0", "60000.0", "0.001", "0", "False"]
    for options in (ImportOptions(), ImportOptions(again=True)):
        again = await import_all(engine, [tmp_path], options)
        assert [(report.added, report.conflicts) for report in again] == [(0, 0), (0, 0)]
    assert [(report.rows, report.known) for report in again] == [(10_000, 10_000)] * 2
    assert await rows_of(engine, META) == [(0, 19_999, 20_000, 0, 0)]


async def test_a_whole_block_of_known_rows_is_compared_by_keys(engine: AsyncEngine, tmp_path: Path) -> None:
    """Each row with each would be ten thousand million comparisons, for which no statement has the time."""
    path = _day(tmp_path, 8, trade_lines(0, 100_000))
    await import_all(engine, [path])
    async with asyncio.timeout(60):
        [report] = await import_all(engine, [path], ImportOptions(again=True))
    assert (report.added, report.known) == (0, 100_000)


async def test_an_import_that_was_cut_goes_on_at_its_place(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives.line_blocks, "__defaults__", (60_000,))
    path = _day(tmp_path, 8, trade_lines(0, 10_000))
    whole, calls = imports.advance_import, 0

    async def cut(session: WriteSession, file: imports.ImportedFile, place: imports.ImportPlace, added: int) -> None:
        nonlocal calls
        calls += 1
        await whole(session, file, place, added)
        if calls == 4:
            raise KeyboardInterrupt  # after the rows, before the commit

    monkeypatch.setattr(importing, "advance_import", cut)
    with pytest.raises(KeyboardInterrupt):
        await import_all(engine, [path])
    stored = (await rows_of(engine, "SELECT count(*) FROM agg_trades"))[0][0]
    assert 3000 < stored < 4000
    monkeypatch.setattr(importing, "advance_import", whole)
    [report] = await import_all(engine, [path])
    assert (report.state, report.rows, report.added, report.known) == ("resumed", 10_000 - stored, 10_000 - stored, 0)
    assert await rows_of(engine, META) == [(0, 9_999, 10_000, 0, 0)]


async def test_a_hole_is_refused_with_its_line_or_recorded(engine: AsyncEngine, tmp_path: Path) -> None:
    path = _day(tmp_path, 8, [*trade_lines(0, 100), *trade_lines(120, 100)])
    [broken] = await import_all(engine, [path])
    assert broken.state == "broken"
    assert f"the ids 100 to 119 are missing before it ({path}:102)" in broken.problem
    assert await rows_of(engine, "SELECT count(*) FROM agg_trades") == [(0,)]
    [report] = await import_all(engine, [path], ImportOptions(allow_gaps=True))
    assert (report.added, report.gaps, report.missing) == (200, 1, 20)
    assert await rows_of(engine, GAPS) == [(100, 119, "lost", "archive_has_a_gap", False, 20)]
    assert await rows_of(engine, META) == [(0, 219, 200, 20, 0)]
    # What another file brings makes the hole smaller.
    await import_all(engine, [write_file(tmp_path / "BTCUSDT-aggTrades-2024-09.csv", trade_lines(100, 15))])
    assert await rows_of(engine, META) == [(0, 219, 215, 5, 0)]


async def test_a_broken_file_stops_no_other_and_each_says_what_became_of_it(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    _day(tmp_path, 1, trade_lines(0, 50))
    await import_all(engine, [tmp_path])
    _day(tmp_path, 2, [*trade_lines(50, 20), *trade_lines(80, 20)])
    _day(tmp_path, 3, trade_lines(100, 50))
    _day(tmp_path, 4, trade_lines(151, 50))
    write_file(tmp_path / "ETHUSDT-aggTrades-2024-08.csv", trade_lines(7, 5))
    write_file(tmp_path / "ADAUSDT-1m-2024-08.csv", ["1723075200000,1.0,2.0,0.5,1.5,10,1723075259999,15,3,4,6,0"])
    reports = await import_all(engine, [tmp_path])
    assert [(report.symbol, report.state, report.added) for report in reports] == [
        ("ADAUSDT", "imported", 1),
        ("BTCUSDT", "known", 0),
        ("BTCUSDT", "broken", 0),
        ("BTCUSDT", "imported", 50),
        ("BTCUSDT", "broken", 0),
        ("ETHUSDT", "imported", 5),
    ]
    assert "the ids 70 to 79 are missing" in reports[2].problem
    assert "id 150 is missing before it" in reports[4].problem


@pytest.mark.parametrize("lines", [(), (HEADER,)])
@pytest.mark.parametrize("name", ["BTCUSDT-aggTrades-2024-08.csv", "BTCUSDT-fundingRate-2024-08.csv.gz"])
async def test_a_file_without_rows_is_a_failed_download(
    engine: AsyncEngine, tmp_path: Path, name: str, lines: tuple[str, ...]
) -> None:
    header = ("calc_time,last_funding_rate",) if "funding" in name and HEADER in lines else lines
    path = write_file(tmp_path / name, header)
    for _ in range(2):
        [report] = await import_all(engine, [path], ImportOptions(allow_gaps=True))
        assert report.state == "broken"
        assert re.search(r"the file (is empty|holds no row) \(.*fetch it again", report.problem)


async def test_what_has_not_happened_yet_is_refused_in_any_case(engine: AsyncEngine, tmp_path: Path) -> None:
    late_ms = time.time_ns() // 1_000_000 + 2 * 86_400_000
    lines = trade_lines(0, 10)
    lines[7] = lines[7].replace(str(START_MS), str(late_ms))
    assert lines[7] != trade_line(7)
    path = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08.csv", [*lines[:9], "garbage"])
    bar = f"{late_ms // 60_000 * 60_000 + 60_000},1.0,2.0,0.5,1.5,10,1723075259999,15,3,4,6,0"
    bars = write_file(tmp_path / "BTCUSDT-1m-2024-08.csv", [bar])
    reports = await import_all(engine, [bars, path], ImportOptions(allow_gaps=True))
    assert [report.state for report in reports] == ["broken", "broken"]
    for report, where in zip(reports, (f"{bars}:1", f"{path}:8"), strict=True):
        assert "the time is more than a day from now: " in report.problem
        assert f"({where})" in report.problem
    assert await rows_of(engine, "SELECT count(*) FROM agg_trades") == [(0,)]


async def test_unreadable_lines_become_holes_when_asked(engine: AsyncEngine, tmp_path: Path) -> None:
    path = _day(tmp_path, 8, [*trade_lines(0, 10), "garbage", *trade_lines(11, 10)])
    [report] = await import_all(engine, [path], ImportOptions(allow_gaps=True))
    assert (report.refused_lines, report.missing) == ([(12, "1 columns instead of 7")], 1)
    assert await rows_of(engine, GAPS) == [(10, 10, "lost", "archive_has_a_gap", False, 1)]


async def test_history_goes_in_below_what_is_there_and_other_content_is_kept_aside(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await import_all(engine, [_day(tmp_path, 9, trade_lines(1000, 100))])
    changed = trade_line(1005).replace(",60003.5,", ",1.5,")
    assert changed != trade_line(1005)
    older = [*trade_lines(900, 105), changed, *trade_lines(1006, 3)]
    [report] = await import_all(engine, [write_file(tmp_path / "BTCUSDT-aggTrades-2024-07.csv.gz", older)])
    assert (report.rows, report.added, report.known, report.conflicts) == (109, 100, 8, 1)
    assert await rows_of(engine, META) == [(900, 1099, 200, 0, 1)]
    assert await rows_of(engine, "SELECT agg_id, price FROM agg_trades_conflicts") == [(1005, pytest.approx(1.5))]
    far = await import_all(engine, [write_file(tmp_path / "BTCUSDT-aggTrades-2024-06.csv", trade_lines(10, 50))])
    assert far[0].added == 50
    assert await rows_of(engine, META) == [(10, 1099, 250, 0, 1)]


async def test_holes_that_the_table_fills_are_none(engine: AsyncEngine, tmp_path: Path) -> None:
    await import_all(engine, [_day(tmp_path, 9, trade_lines(10, 10))])
    path = write_file(tmp_path / "BTCUSDT-aggTrades-2024-10.csv", [*trade_lines(5, 5), *trade_lines(20, 5)])
    [report] = await import_all(engine, [path], ImportOptions(allow_gaps=True))
    assert (report.added, report.gaps) == (10, 0)
    assert await rows_of(engine, META) == [(5, 24, 20, 0, 0)]


async def test_another_market_is_refused_unless_it_is_named(engine: AsyncEngine, tmp_path: Path) -> None:
    await upgrade(engine)
    await claim_source(engine, "venue simulator, seed 7")
    path = _day(tmp_path, 8, trade_lines(0, 10))
    with pytest.raises(ConfigurationError, match=r"another market: venue simulator, seed 7.*--market"):
        await import_all(engine, [path])
    assert await rows_of(engine, "SELECT count(*) FROM agg_trades") == [(0,)]
    [report] = await import_all(engine, [path], ImportOptions(market="venue simulator, seed 7"))
    assert report.added == 10


async def test_klines_and_funding_rates(engine: AsyncEngine, tmp_path: Path) -> None:
    bar = "1723075200000,1.0,2.0,0.5,1.5,10,1723075259999,15,3,4,6,0"
    klines = tmp_path / "ADAUSDT-1m-2024-08.zip"
    write_file(klines, [bar, bar.replace("1723075200000", "1723075260000")])
    funding = write_file(
        tmp_path / "ADAUSDT-fundingRate-2024-08.csv",
        ["calc_time,funding_interval_hours,last_funding_rate", "1723075200000,8,0.0001"],
    )
    reports = await import_all(engine, [klines, funding])
    assert [(report.kind, report.rows, report.added) for report in reports] == [("funding", 1, 1), ("klines", 2, 2)]
    write_file(klines, [bar.replace(",15,", ",16,")])
    [changed] = await import_all(engine, [klines])
    assert (changed.added, changed.known, changed.conflicts) == (0, 0, 1)
    question = 'SELECT "interval", quote_volume, trade_count, taker_buy_volume FROM klines ORDER BY open_time LIMIT 1'
    assert await rows_of(engine, question) == [("1m", 15, 3, 4)]
    assert await rows_of(engine, "SELECT symbol, interval_hours FROM funding_rates") == [("ADAUSDT", 8)]


async def test_holes_of_an_archive_are_typed(engine: AsyncEngine) -> None:
    await upgrade(engine)
    hole = Hole("BTCUSDT", 5, 9, 1_723_075_199_000, 1_723_075_199_001, "archive_has_a_gap")
    async with write_session(engine) as session:
        assert await imports.write_archive_gaps(session, [hole]) == 1
    async with write_session(engine) as session:
        assert await imports.write_archive_gaps(session, [hole]) == 0
