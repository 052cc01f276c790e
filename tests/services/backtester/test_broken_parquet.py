"""Whatever is wrong in a file of an export, one line says what and in which file: no traceback, and nothing cut in silence."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from libs.store.exported import INSTANT, FileName, path_of
from services.backtester.sources import Span
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sources.unreadable import UnreadableFile
from tests.services.backtester.market_days import DAY_MS, FIRST_DAY, Market, write_days
from tests.services.backtester.parquet_files import change, change_metadata, read_whole, write_rows

SYMBOL = "BTCUSDT"
TRADES = 100
ROWS = 4
SPAN = Span(int(FIRST_DAY.timestamp() * 1000), int(FIRST_DAY.timestamp() * 1000) + DAY_MS)
Break = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day with every kind of file."""
    folder = tmp_path_factory.mktemp("whole")
    write_days(folder, [Market(SYMBOL, 60_000.0, TRADES, 1, 3)], 1)
    times = [FIRST_DAY + timedelta(hours=number) for number in range(ROWS)]
    write_rows(folder, "funding", SYMBOL, [{"funding_time": at, "funding_rate": "0.0001"} for at in times])
    write_rows(folder, "mark_prices", SYMBOL, [_mark(at) for at in times])
    write_rows(folder, "liquidations", SYMBOL, [_forced(at) for at in times])
    kinds = ("open_interest", "funding_rate", "coinbase_premium", "taker_long_short_ratio")
    write_rows(folder, "indicators", SYMBOL, [_slow(at, kind) for at, kind in zip(times, kinds, strict=True)])
    return folder


def _mark(at: datetime) -> dict[str, Any]:
    prices = {"mark_price": "60000.1", "index_price": "60000", "funding_rate": "0.0001"}
    return {"event_time": at, "next_funding_time": FIRST_DAY + timedelta(hours=8), **prices}


def _forced(at: datetime) -> dict[str, Any]:
    amounts = dict.fromkeys(("quantity", "average_price", "order_price", "last_filled_quantity"), Decimal("1.5"))
    words = {"event_id": f"forced:{at}", "side": "SELL", "status": "FILLED"}
    return {"trade_time": at, "event_time": at, **amounts, **words}


def _slow(at: datetime, kind: str) -> dict[str, Any]:
    words = {"event_id": f"{kind}:{at}", "kind": kind, "source": "rest", "availability_assumed": False}
    return {"event_time": at, "values": [(kind, "0.0001")], **words}


async def read(folder: Path) -> tuple[int, int, int]:
    """What a run asks of a source; how many trades, events and settlements there are."""
    source = ParquetSource(folder)
    stored = await source.stored(SYMBOL, SPAN)
    trades = sum([len(page) async for page in source.trades(SYMBOL, SPAN)])
    events = len([event async for event in source.events(SYMBOL, SPAN)])
    assert stored is not None
    assert (stored.rows, stored.missing) == (trades, 0)
    return trades, events, len(await source.funding(SYMBOL, SPAN))


def put(column: str, value: Any, row: int = 0) -> Break:
    """Another value in one row."""

    def broken(path: Path) -> None:
        found = read_whole(path).column(column)
        values = found.to_pylist()
        change(path, **{column: pa.array([*values[:row], value, *values[row + 1 :]], found.type)})

    return broken


def far(column: str) -> Break:
    """Instants that no calendar has."""
    return lambda path: change(path, **{column: pa.array([1 << 62] * ROWS, INSTANT)})


def as_type(column: str, kind: pa.DataType) -> Break:
    return lambda path: change(path, **{column: read_whole(path).column(column).cast(kind)})


def as_text(column: str) -> Break:
    return lambda path: change(path, **{column: pa.array(["7"] * read_whole(path).num_rows)})


def without(*columns: str) -> Break:
    return lambda path: change(path, **dict.fromkeys(columns))


def says(**metadata: str) -> Break:
    return lambda path: change_metadata(path, **metadata)


def twice(column: str) -> Break:
    def broken(path: Path) -> None:
        table = read_whole(path)
        parquet.write_table(table.append_column(column, table.column(column)), path)

    return broken


def no_text(path: Path) -> None:
    bytes_of_none = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    change(path, event_id=pa.concat_arrays([bytes_of_none] * ROWS))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def nanoseconds(column: str) -> Break:
    """Times between two milliseconds."""

    def broken(path: Path) -> None:
        times = read_whole(path).column(column).cast(pa.int64()).to_numpy() * 1_000_000 + 1
        change(path, **{column: pa.array(times).cast(pa.timestamp("ns", tz="UTC"))})

    return broken


def unnamed(column: bytes) -> Break:
    """A column whose name is no text."""

    def broken(path: Path) -> None:
        path.write_bytes(path.read_bytes().replace(column, b"\xff" * len(column)))

    return broken


MONTHS_LATER = FIRST_DAY + timedelta(days=100)
BROKEN: dict[FileName, dict[str, tuple[Break, str]]] = {
    "trades": {
        "cut off": (cut_off, "the file cannot be read: "),
        "a name of no text": (unnamed(b"quantity"), "the file cannot be read: .*utf-8"),
        "time as text": (as_type("trade_time", pa.string()), "trade_time must be a timestamp, not 'string'"),
        "time in ns": (nanoseconds("trade_time"), "trade_time is not in whole milliseconds"),
        "no time": (put("trade_time", None, 7), "trade_time is missing in 1 rows"),
        "another day": (put("trade_time", MONTHS_LATER, 7), "the trade_time of agg_id 1007 is not in 2026-03-02"),
        "late by months": (put("effective_time", MONTHS_LATER, 7), "the effective_time of agg_id 1007 is not within a day"),
        "late as text": (as_type("effective_time", pa.string()), "effective_time must be a timestamp, not 'string'"),
        "no price": (put("price", None, 7), "price is missing in 1 rows"),
        "no quantity": (put("quantity", None, 7), "quantity is missing in 1 rows"),
        "no id": (put("agg_id", None, 7), "agg_id is missing in 1 rows"),
        "no side": (put("buyer_is_maker", None, 7), "buyer_is_maker is missing in 1 rows"),
        "free": (put("price", Decimal(0), 7), "the price of agg_id 1007, 0.00000000, is not positive"),
        "below nothing": (put("price", Decimal("-0.1"), 7), "the price of agg_id 1007, -0.10000000, is not positive"),
        "nothing traded": (put("quantity", Decimal(0), 7), "the quantity of agg_id 1007, 0.00000000, is not positive"),
        "floating": (as_type("price", pa.float64()), "price must be decimal128 of at most 18 digits, not 'double'"),
        "too many digits": (as_type("price", pa.decimal128(38, 8)), r"price must be .*, not 'decimal128\(38, 8\)'"),
        "side as text": (as_text("buyer_is_maker"), "buyer_is_maker must be bool, not 'string'"),
        "a column less": (without("quantity"), "there is no column quantity"),
        "a column twice": (twice("price"), "there are several columns price"),
        "ids fall": (put("agg_id", 3, 7), "the ids do not rise"),
        "decimals in words": (says(price_decimals="abc"), "its price_decimals are 'abc', which is no number of 0 to 8"),
        "decimals below 0": (says(price_decimals="-1"), "its price_decimals are '-1', which is no number"),
        "too many decimals": (says(quantity_decimals="19"), "its quantity_decimals are '19', which is no number"),
        "endless decimals": (says(quantity_decimals="9" * 5_000), "its quantity_decimals are '9+…, which is no number"),
        "finer than the column": (says(price_decimals="9"), "its price_decimals are '9', which is no number of 0 to 8"),
        "coarse prices": (says(price_decimals="0"), r"the price of agg_id 10\d\d, .*, has more than the 0 decimals"),
        "coarse quantities": (says(quantity_decimals="2"), r"the quantity of agg_id 10\d\d, .*, has more than the 2 decimals"),
        "one fine price": (put("price", Decimal("60000.12"), 7), "agg_id 1007, 60000.12000000, has more than the 1 decimals"),
    },
    "mark_prices": {
        "cut off": (cut_off, "the file cannot be read: "),
        "a column less": (without("mark_price"), "there is no column mark_price"),
        "few columns": (without("mark_price", "index_price", "next_funding_time"), "there is no column mark_price"),
        "time between milliseconds": (nanoseconds("event_time"), "event_time is not in whole milliseconds"),
        "time as text": (as_text("event_time"), "event_time must be a timestamp, not 'string'"),
        "no number": (put("mark_price", "seven"), "row 0: mark_price is no number: 'seven'"),
        "not a number": (put("index_price", "NaN", 3), "row 3: index_price is not finite: 'NaN'"),
        "endless": (put("mark_price", "Infinity", 3), "row 3: mark_price is not finite: 'Infinity'"),
        "a huge number": (put("mark_price", "1e999999"), "row 0: mark_price has more than 40 digits"),
        "a long number": (put("mark_price", "7" * 9_999), "row 0: mark_price has more than 40 digits: '7+…"),
        "below nothing": (put("mark_price", "-1"), "row 0: .*mark_price is negative"),
        "no price": (put("mark_price", None), "mark_price is missing in row 0"),
        "no next": (put("next_funding_time", None), "next_funding_time is missing in row 0"),
        "a far next": (far("next_funding_time"), "row 0: .*next_funding_time_ms .* is no time between 1970 and 2100"),
        "an estimate of nothing": (put("funding_rate", "nan", 2), "row 2: funding_rate is not finite: 'nan'"),
    },
    "liquidations": {
        "few columns": (without("side", "quantity"), "there is no column side"),
        "quantity as text": (as_text("quantity"), "quantity must be decimal128 of at most 18 digits, not 'string'"),
        "no quantity": (put("quantity", None), "quantity is missing in row 0"),
        "nothing filled": (put("quantity", Decimal(0), 1), "row 1: .*quantity is not positive"),
        "a third side": (put("side", "HOLD", 1), "row 1: side is 'HOLD', and none of BUY, SELL"),
        "no text": (no_text, "the file cannot be read: .*UTF8"),
    },
    "indicators": {
        "few columns": (without("kind", "values"), "there is no column kind"),
        "an unknown kind": (put("kind", "moon\nphase"), r"row 0: kind is 'moon\\nphase', and none of coinbase_premium, "),
        "not a number": (put("values", [("open_interest", "NaN")]), "row 0: 'open_interest' of values is not finite: 'NaN'"),
        "no value": (put("values", [("open_interest", None)]), "row 0: 'open_interest' of values is no number: None"),
        "values as text": (as_text("values"), "values must be map<string, string>, not 'string'"),
        "a far time": (far("event_time"), "row 0: .*event_time_ms .* is no time between 1970 and 2100"),
        "no settled rate": (put("values", [("mark_price", "1")], 1), "row 1: 'funding_rate' of values is no number: None"),
    },
    "funding": {
        "few columns": (without("funding_rate"), "there is no column funding_rate"),
        "not a number": (put("funding_rate", "NaN", 3), "row 3: funding_rate is not finite: 'NaN'"),
        "endless": (put("funding_rate", "-Inf", 3), "row 3: funding_rate is not finite: '-Inf'"),
        "no rate": (put("funding_rate", None, 3), "funding_rate is missing in row 3"),
        "no time": (put("funding_time", None), "funding_time is missing in row 0"),
        "a rate as a float": (as_type("funding_rate", pa.float64()), "funding_rate must be string, not 'double'"),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "broken", "what"),
    [
        pytest.param(name, *case, id=f"{name}: {words}")
        for name, cases in BROKEN.items()
        for words, case in cases.items()
    ],
)
async def test_what_is_wrong_is_one_line_that_names_the_file(
    name: FileName, broken: Break, what: str, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "broken")
    path = path_of(folder, name, SYMBOL, FIRST_DAY.date())
    broken(path)
    with pytest.raises(UnreadableFile, match=what) as raised:
        await read(folder)
    line = str(raised.value)
    assert str(path) in line
    assert len(line.splitlines()) == 1
    assert len(line) < len(str(path)) + 400
    assert raised.value.exit_code == 1


async def test_a_whole_day_is_read(whole: Path) -> None:
    assert await read(whole) == (TRADES, 3 * ROWS + 1, ROWS + 1)


async def test_a_day_whose_decimals_are_too_few_for_another_is_refused(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "two")
    write_days(folder, [Market(SYMBOL, 60_000.0, TRADES, 3, 3)], 2)
    coarse = path_of(folder, "trades", SYMBOL, FIRST_DAY.date())
    shutil.copyfile(path_of(whole, "trades", SYMBOL, FIRST_DAY.date()), coarse)
    as_type("price", pa.decimal128(18, 1))(coarse)
    source, span = ParquetSource(folder), Span(SPAN.start_ms, SPAN.start_ms + 2 * DAY_MS)
    assert await source.stored(SYMBOL, span) is not None
    with pytest.raises(UnreadableFile, match=f"price has 1 decimals at most, and on another day 3.*{coarse}"):
        assert [page async for page in source.trades(SYMBOL, span)]


async def test_a_late_trade_counts_later_and_hides_none_behind_it(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "late")
    path = path_of(folder, "trades", SYMBOL, FIRST_DAY.date())
    at = read_whole(path).column("trade_time")[7].as_py()
    put("effective_time", at + timedelta(milliseconds=5), 7)(path)
    assert await read(folder) == await read(whole)


async def test_text_of_another_library_is_text(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "other")
    path = path_of(folder, "mark_prices", SYMBOL, FIRST_DAY.date())
    for column in ("mark_price", "index_price"):
        as_type(column, pa.large_string())(path)
    assert (await read(folder))[1] == 3 * ROWS + 1
