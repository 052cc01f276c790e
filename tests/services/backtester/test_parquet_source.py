"""Exported Parquet files as a market: what is counted is what the range has, not what its days have."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from libs.store.exported import INSTANT, path_of
from services.backtester.sources import Span, Stored
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sources.unreadable import UnreadableFile
from tests.services.backtester.market_days import DAY_MS, FIRST_DAY, Market, write_days
from tests.services.backtester.parquet_files import change, read_whole

SYMBOL = "BTCUSDT"
START_MS = int(FIRST_DAY.timestamp() * 1000)
HOUR_MS = 3_600_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(tmp_path, [Market(SYMBOL, 60_000.0, 24_000, 1)], 3)
    return tmp_path


def file_of(folder: Path, day: int) -> Path:
    return path_of(folder, "trades", SYMBOL, (FIRST_DAY + timedelta(days=day)).date())


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
    table = read_whole(file_of(folder, 0))
    parquet.write_table(pa.concat_tables([table.slice(0, 1_000), table.slice(1_500)]), file_of(folder, 0))
    assert (await stored(folder, 12 * HOUR_MS, DAY_MS)).missing == 0
    assert (await stored(folder, 0, DAY_MS)).missing == 500


async def test_a_day_without_a_trade_in_the_hours_of_the_range_is_empty(folder: Path) -> None:
    table = read_whole(file_of(folder, 2))
    parquet.write_table(table.slice(12_000), file_of(folder, 2))
    assert (await stored(folder, DAY_MS, 2 * DAY_MS + 6 * HOUR_MS)).empty_days == ("2026-03-04",)


async def test_a_file_that_overlaps_the_one_before_is_refused(folder: Path) -> None:
    change(file_of(folder, 1), agg_id=read_whole(file_of(folder, 0)).column("agg_id"))
    with pytest.raises(UnreadableFile, match="the ids do not rise"):
        await stored(folder, 0, DAY_MS + HOUR_MS)


async def test_instants_of_other_units_are_read_if_they_are_whole_milliseconds(folder: Path) -> None:
    span, path = Span(START_MS, START_MS + DAY_MS), file_of(folder, 0)
    before = [page async for page in ParquetSource(folder).trades(SYMBOL, span)]
    change(path, trade_time=read_whole(path).column("trade_time").cast(pa.timestamp("ns", tz="UTC")))
    [page] = [page async for page in ParquetSource(folder).trades(SYMBOL, span)]
    assert page.time.tolist() == before[0].time.tolist()


async def test_a_late_trade_counts_from_when_it_was_known(folder: Path) -> None:
    """In every row group, whatever the batch begins with: the sides, ids and sizes stay with their trades."""
    path, span = file_of(folder, 0), Span(START_MS, START_MS + DAY_MS)
    table = read_whole(path)
    late = table.column("trade_time").to_pylist()
    late[7_001] += timedelta(minutes=5)
    known = pa.array([moment if row == 7_001 else None for row, moment in enumerate(late)], INSTANT)
    place = table.schema.get_field_index("effective_time")
    parquet.write_table(table.set_column(place, table.schema.field(place), known), path, row_group_size=7_001)
    pages = [page async for page in ParquetSource(folder).trades(SYMBOL, span)]
    assert [len(page) for page in pages] == [7_001, 7_001, 7_001, 24_000 - 3 * 7_001]
    times = np.concatenate([page.time for page in pages])
    expected = np.array([int(moment.timestamp() * 1000) for moment in late])
    assert times.tolist() == np.maximum.accumulate(expected).tolist()
    prices = np.concatenate([page.price for page in pages])
    assert prices.tolist() == [int(price.scaleb(pages[0].price_decimals)) for price in table["price"].to_pylist()]
    sides = np.concatenate([page.buyer_is_maker for page in pages])
    assert sides.tolist() == [int(side) for side in table["buyer_is_maker"].to_pylist()]
