"""Exported Parquet files as a market: what is counted is what the range has, not what its days have."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from services.backtester.sources import Span, Stored
from services.backtester.sources.parquet import ParquetSource, UnreadableFile
from tests.services.backtester.market_days import DAY_MS, FIRST_DAY, Market, write_days

SYMBOL = "BTCUSDT"
START_MS = int(FIRST_DAY.timestamp() * 1000)
HOUR_MS = 3_600_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(tmp_path, [Market(SYMBOL, 60_000.0, 24_000, 1)], 3)
    return tmp_path


def file_of(folder: Path, day: int) -> Path:
    date = (FIRST_DAY + timedelta(days=day)).date()
    return folder / "trades" / f"symbol={SYMBOL}" / f"day={date}" / "trades.parquet"


async def stored(folder: Path, begin_ms: int, end_ms: int) -> Stored:
    found = await ParquetSource(folder).stored(SYMBOL, Span(START_MS + begin_ms, START_MS + end_ms))
    assert found is not None
    return found


async def test_only_the_hours_of_the_range_are_counted(folder: Path) -> None:
    begin_ms, end_ms = 12 * HOUR_MS, 2 * DAY_MS + 6 * HOUR_MS
    found = await stored(folder, begin_ms, end_ms)
    source, span = ParquetSource(folder), Span(START_MS + begin_ms, START_MS + end_ms)
    assert found.rows == sum([len(page) async for page in source.trades(SYMBOL, span)])
    assert 41_000 < found.rows < 43_000
    assert (found.missing, found.empty_days) == (0, ())


async def test_a_hole_outside_the_hours_of_the_range_is_none_of_it(folder: Path) -> None:
    table = parquet.read_table(file_of(folder, 0), partitioning=None)
    parquet.write_table(pa.concat_tables([table.slice(0, 1_000), table.slice(1_500)]), file_of(folder, 0))
    assert (await stored(folder, 12 * HOUR_MS, DAY_MS)).missing == 0
    assert (await stored(folder, 0, DAY_MS)).missing == 500


async def test_a_day_without_a_trade_in_the_hours_of_the_range_is_empty(folder: Path) -> None:
    table = parquet.read_table(file_of(folder, 2), partitioning=None)
    parquet.write_table(table.slice(12_000), file_of(folder, 2))
    assert (await stored(folder, DAY_MS, 2 * DAY_MS + 6 * HOUR_MS)).empty_days == ("2026-03-04",)


async def test_a_file_that_overlaps_the_one_before_is_refused(folder: Path) -> None:
    file_of(folder, 1).write_bytes(file_of(folder, 0).read_bytes())
    with pytest.raises(UnreadableFile, match="the ids do not rise"):
        await stored(folder, 0, DAY_MS + HOUR_MS)
