"""Files of trades as columns of integers. Threads read and convert the next row groups while the last one is evaluated."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from libs.indicators.kernel.scales import exact_quotients
from libs.indicators.log import TradeRows
from services.backtester.sources import Span
from services.backtester.sources.unreadable import AGAIN, UnreadableFile, unordered, unreadable

AHEAD = 2
# Small enough for what is decoded to be converted before it leaves the processor's cache.
BATCH_ROWS = 65_536
_EFFECTIVE = "effective_time"
Int64 = NDArray[np.int64]


def _is_money(found: pa.DataType) -> bool:
    return bool(pa.types.is_decimal128(found) and found.precision <= 18)


_INSTANT = (pa.types.is_timestamp, "a timestamp")
_MONEY = (_is_money, "decimal128 of at most 18 digits")
_TYPES: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "agg_id": (pa.types.is_int64, "int64"),
    "trade_time": _INSTANT,
    "price": _MONEY,
    "quantity": _MONEY,
    "buyer_is_maker": (pa.types.is_boolean, "bool"),
    "effective_time": _INSTANT,
}
TRADE_COLUMNS = list(_TYPES)
"""What is read of a file of trades."""


class Scale(NamedTuple):
    """Decimals of prices and quantities."""

    price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Group:
    """A row group of a file, and the scale to give it."""

    path: Path
    number: int
    scale: Scale


async def pages(symbol: str, paths: Sequence[Path], scale: Scale) -> AsyncGenerator[tuple[Path, TradeRows]]:
    """The rows of each row group, ids and times of each in order. Raises `UnreadableFile`."""
    groups = (Group(path, number, scale) for path in paths for number in range(_group_count(path)))
    loop, coming = asyncio.get_running_loop(), deque[tuple[Path, asyncio.Future[TradeRows]]]()

    def begin() -> None:
        """At once: a task would wait until the loop is free, which the evaluation of a page keeps busy."""
        for group in groups:
            coming.append((group.path, loop.run_in_executor(None, _read_group, symbol, group)))
            if len(coming) == AHEAD:
                return

    try:
        begin()
        while coming:
            path, reading = coming.popleft()
            page = await reading
            begin()
            yield path, page
    finally:
        for _, reading in coming:
            reading.cancel()


@contextmanager
def opened(path: Path) -> Iterator[parquet.ParquetFile]:
    """The file, closed afterwards. Raises `UnreadableFile` for what goes wrong meanwhile."""
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None


def scale_of(path: Path) -> Scale:
    """As the export says, else the fewest decimals that the values have. Raises `UnreadableFile`."""
    with opened(path) as file:
        said = file.schema_arrow.metadata or {}
        check_columns(path, file.schema_arrow)
        if b"price_decimals" in said and b"quantity_decimals" in said:
            return Scale(*(_said(path, file.schema_arrow, said, name) for name in Scale._fields))
        table = file.read(list(Scale._fields))
    return Scale(*(_fewest(path, table, name) for name in Scale._fields))


def _said(path: Path, schema: pa.Schema, said: dict[bytes, bytes], name: str) -> int:
    text, most = said[f"{name}_decimals".encode()].decode(errors="replace"), schema.field(name).type.scale
    if not (text.isascii() and text.isdigit() and len(text) < 3 and int(text) <= most):
        what = f"its {name}_decimals are {text[:40]!r}, which is no number of 0 to {most}"
        raise UnreadableFile(what, where=str(path), todo=AGAIN)
    return int(text)


def _fewest(path: Path, table: pa.Table, name: str) -> int:
    parts = [_halves(chunk)[::2] for chunk in _present(table, name, path).chunks]
    values, decimals = np.concatenate([np.empty(0, np.int64), *parts]), table.schema.field(name).type.scale
    while decimals > 0 and not np.any(values % 10):
        values, decimals = values // 10, decimals - 1
    return int(decimals)


def seen_between(path: Path, span: Span) -> tuple[Int64, Int64]:
    """Ids and times (ms) of the file's trades in the span; a late one counts with its neighbours, which is exact enough here."""
    with opened(path) as file:
        check_columns(path, file.schema_arrow)
        table = file.read(["agg_id", "trade_time"]).combine_chunks()
    ids: Int64 = _present(table, "agg_id", path).to_numpy()
    times = np.maximum.accumulate(_milliseconds(_present(table, "trade_time", path)))
    begin, end = np.searchsorted(times, [span.start_ms, span.end_ms]).tolist()
    return ids[begin:end], times[begin:end]


def check_columns(path: Path, schema: pa.Schema) -> None:
    """Every column of trades is there and of its type. Raises `UnreadableFile`."""
    if missing := set(TRADE_COLUMNS) - set(schema.names):
        raise UnreadableFile(f"there is no column {', '.join(sorted(missing))}", where=str(path), todo=AGAIN)
    for name, (fits, words) in _TYPES.items():
        if not fits(found := schema.field(name).type):
            raise UnreadableFile(f"{name} must be {words}, not {found}", where=str(path), todo=AGAIN)


def _group_count(path: Path) -> int:
    with opened(path) as file:
        return int(file.metadata.num_row_groups)


def _read_group(symbol: str, group: Group) -> TradeRows:
    with opened(group.path) as file:
        rows = file.metadata.row_group(group.number).num_rows
        ids, times, prices, quantities = (np.empty(rows, np.int64) for _ in range(4))
        page = TradeRows(symbol, *group.scale, ids, times, prices, quantities, np.empty(rows, np.uint8))
        begin, names = 0, _names(file, group)
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group.number], columns=names, use_threads=False):
            _fill(page.rows(begin, begin + len(batch)), batch, group)
            begin += len(batch)
    if np.any(page.agg_id[1:] <= page.agg_id[:-1]):
        raise unordered(group.path)
    if np.any(page.time[1:] < page.time[:-1]):
        np.maximum.accumulate(page.time, out=page.time)
    return page


def _names(file: parquet.ParquetFile, group: Group) -> list[str]:
    """The columns to read: hardly a trade has an effective time of its own."""
    check_columns(group.path, file.schema_arrow)
    column = file.metadata.row_group(group.number).column(file.schema_arrow.names.index(_EFFECTIVE))
    is_empty = column.statistics is not None and column.statistics.null_count == column.num_values
    return [name for name in TRADE_COLUMNS if name != _EFFECTIVE] if is_empty else TRADE_COLUMNS


def _fill(rows: TradeRows, batch: pa.RecordBatch, group: Group) -> None:
    """Convert a batch into its place of the page."""
    path = group.path
    rows.agg_id[:] = _present(batch, "agg_id", path).to_numpy()
    rows.time[:] = _milliseconds(_present(batch, "trade_time", path))
    if _EFFECTIVE in batch.schema.names:
        effective = batch.column(_EFFECTIVE)
        known = effective.is_valid().to_numpy(zero_copy_only=False)
        np.copyto(rows.time, _milliseconds(effective.fill_null(0)), where=known)
    rows.buyer_is_maker[:] = _bits(_present(batch, "buyer_is_maker", path))
    for name, into, decimals in (
        ("price", rows.price, group.scale.price),
        ("quantity", rows.quantity, group.scale.quantity),
    ):
        column = _present(batch, name, path)
        halves, scale = _halves(column), column.type.scale
        if not exact_quotients(halves, scale - decimals, into):
            raise _unfit(halves[::2], name, Scale(decimals, scale), path)


def _present(batch: pa.RecordBatch | pa.Table, name: str, path: Path) -> pa.Array:
    column = batch.column(name)
    if column.null_count:
        raise UnreadableFile(f"{name} is missing in {column.null_count} rows", where=str(path), todo=AGAIN)
    return column


def _bits(column: pa.Array) -> NDArray[np.uint8]:
    """1 where true. Arrow's own way to an array of bytes takes ten times as long."""
    first = column.offset % 8
    packed = np.frombuffer(column.buffers()[1], np.uint8)[column.offset // 8 :]
    return np.unpackbits(packed, count=first + len(column), bitorder="little")[first:]


def _halves(column: pa.Array) -> Int64:
    """The integers behind decimal128 values, which must fit 64 bits."""
    return np.frombuffer(column.buffers()[1], "<i8")[2 * column.offset : 2 * (column.offset + len(column))]


def _unfit(values: Int64, name: str, decimals: tuple[int, int], path: Path) -> UnreadableFile:
    """The first value that is not positive, or has more decimals than the file says; `decimals`: said, and of the column."""
    said, scale = decimals
    wrong = values[(values <= 0) | (values % 10 ** (scale - said) != 0)][0]
    found = Decimal(int(wrong)).scaleb(-scale)
    why = f"has more than the {said} decimals that the file says" if wrong > 0 else "is not positive"
    return UnreadableFile(f"a {name} of {found} {why}", where=str(path), todo=AGAIN)


def _milliseconds(column: pa.Array) -> Int64:
    found: Int64 = column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_numpy()
    return found
