"""Exported Parquet files as a market: what is counted is what the range has, not what its days have."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from services.backtester.sources import Span, Stored
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sources.unreadable import UnreadableFile
from tests.services.backtester.market_days import DAY_MS, FIRST_DAY, INSTANT, Market, write_days

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


def with_metadata(table: pa.Table, **said: str) -> pa.Table:
    known = {key.decode(): value for key, value in (table.schema.metadata or {}).items()}
    return table.replace_schema_metadata(known | said)


def with_value(table: pa.Table, name: str, value: object) -> pa.Table:
    """The last row with another value."""
    column, place = table.column(name), table.schema.get_field_index(name)
    changed = pa.chunked_array([*column.slice(0, len(column) - 1).chunks, pa.array([value], column.type)])
    return table.set_column(place, pa.field(name, column.type), changed)


def with_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(kind))


WRONG: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "no number": (lambda t: with_metadata(t, price_decimals="abc"), "its price_decimals are 'abc', .* 0 to 8"),
    "too many": (lambda t: with_metadata(t, quantity_decimals="9"), "its quantity_decimals are '9', .* 0 to 8"),
    "below zero": (lambda t: with_metadata(t, price_decimals="-1"), "its price_decimals are '-1'"),
    "coarser": (lambda t: with_metadata(t, price_decimals="0"), "a price of .* has more than the 0 decimals"),
    "price 0": (lambda t: with_value(t, "price", 0), "a price of 0E-8 is not positive"),
    "quantity below 0": (lambda t: with_value(t, "quantity", -1), "a quantity of -1.00000000 is not positive"),
    "null id": (lambda t: with_value(t, "agg_id", None), "agg_id is missing in 1 rows"),
    "null price": (lambda t: with_value(t, "price", None), "price is missing in 1 rows"),
    "null time": (lambda t: with_value(t, "trade_time", None), "trade_time is missing in 1 rows"),
    "null side": (lambda t: with_value(t, "buyer_is_maker", None), "buyer_is_maker is missing in 1 rows"),
    "text time": (lambda t: with_type(t, "trade_time", pa.string()), "trade_time must be a timestamp, not string"),
    "float price": (lambda t: with_type(t, "price", pa.float64()), "price must be decimal128 .*, not double"),
    "no column": (lambda t: t.drop_columns("quantity"), "there is no column quantity"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_file_with_what_no_trade_can_have_is_refused_in_one_line(folder: Path, case: str) -> None:
    change, words = WRONG[case]
    path = file_of(folder, 0)
    parquet.write_table(change(parquet.read_table(path, partitioning=None)), path)
    span, source = Span(START_MS, START_MS + DAY_MS), ParquetSource(folder)

    async def read() -> None:
        assert await source.stored(SYMBOL, span)
        async for _ in source.trades(SYMBOL, span):
            pass

    with pytest.raises(UnreadableFile, match=words) as refused:
        await read()
    assert str(path) in str(refused.value.advice)
    assert "\n" not in str(refused.value.advice)


async def test_instants_of_other_units_are_read_if_they_are_whole_milliseconds(folder: Path) -> None:
    span, path = Span(START_MS, START_MS + DAY_MS), file_of(folder, 0)
    before = [page async for page in ParquetSource(folder).trades(SYMBOL, span)]
    table = parquet.read_table(path, partitioning=None)
    parquet.write_table(with_type(table, "trade_time", pa.timestamp("ns", tz="UTC")), path)
    [page] = [page async for page in ParquetSource(folder).trades(SYMBOL, span)]
    assert page.time.tolist() == before[0].time.tolist()


async def test_a_late_trade_counts_from_when_it_was_known(folder: Path) -> None:
    """In every row group, whatever the batch begins with: the sides, ids and sizes stay with their trades."""
    path, span = file_of(folder, 0), Span(START_MS, START_MS + DAY_MS)
    table = parquet.read_table(path, partitioning=None)
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
