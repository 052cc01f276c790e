"""Files of trades as columns of integers. Threads read and convert the next row groups while the last one is evaluated."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
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
from libs.kit.durations import DAY_MS
from libs.store.exported import TRADES
from services.backtester.sources import Span
from services.backtester.sources.exported_files import columns_of, day_of, milliseconds, opened, start_of
from services.backtester.sources.unreadable import UnreadableFile, refused, shown, unordered

AHEAD = 2
# Small enough for what is decoded to be converted before it leaves the processor's cache.
BATCH_ROWS = 65_536
_EFFECTIVE = "effective_time"
Int64 = NDArray[np.int64]
TRADE_COLUMNS = ["agg_id", "trade_time", "price", "quantity", "buyer_is_maker", _EFFECTIVE]
"""What is read of a file of trades."""
_WANTED = columns_of(TRADES, TRADE_COLUMNS)


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


def scale_of(path: Path) -> Scale:
    """As the export says, else the fewest decimals that the values have. Raises `UnreadableFile`."""
    with opened(path, _WANTED) as file:
        said = file.schema_arrow.metadata or {}
        if b"price_decimals" in said and b"quantity_decimals" in said:
            return Scale(*(_said(path, file.schema_arrow, said, name) for name in Scale._fields))
        table = file.read(list(Scale._fields))
    return Scale(*(_fewest(path, table, name) for name in Scale._fields))


def _said(path: Path, schema: pa.Schema, said: dict[bytes, bytes], name: str) -> int:
    text, most = said[f"{name}_decimals".encode()].decode(errors="replace"), schema.field(name).type.scale
    if not (text.isascii() and text.isdigit() and len(text) < 3 and int(text) <= most):
        raise refused(f"its {name}_decimals are {shown(text)}, which is no number of 0 to {most}", path)
    return int(text)


def _fewest(path: Path, table: pa.Table, name: str) -> int:
    parts = [_halves(chunk)[::2] for chunk in _present(table, name, path).chunks]
    values, decimals = np.concatenate([np.empty(0, np.int64), *parts]), table.schema.field(name).type.scale
    while decimals > 0 and not np.any(values % 10):
        values, decimals = values // 10, decimals - 1
    return int(decimals)


def seen_between(path: Path, span: Span) -> tuple[Int64, Int64]:
    """Ids and times (ms) of the file's trades in the span; a late one counts with its neighbours, which is exact enough here."""
    with opened(path, _WANTED) as file:
        table = file.read(["agg_id", "trade_time"]).combine_chunks()
        ids: Int64 = _present(table, "agg_id", path).to_numpy()
        _present(table, "trade_time", path)
        trade_time: Int64 = milliseconds(table, "trade_time", path).to_numpy()
    _require_rising(ids, path)
    _require_day(ids, trade_time, path)
    times = np.maximum.accumulate(trade_time)
    begin, end = np.searchsorted(times, [span.start_ms, span.end_ms]).tolist()
    return ids[begin:end], times[begin:end]


def _require_rising(ids: Int64, path: Path) -> None:
    if np.any(ids[1:] <= ids[:-1]):
        raise unordered(path)


def _require_day(ids: Int64, times: Int64, path: Path) -> None:
    """A trade of another day would be looked for in another file, and one of another year would hide all behind it."""
    begin_ms = start_of(path)
    if (wrong := (times < begin_ms) | (times >= begin_ms + DAY_MS)).any():
        raise refused(f"the trade_time of agg_id {ids[np.argmax(wrong)]} is not in {day_of(path)}", path)


def _group_count(path: Path) -> int:
    with opened(path, _WANTED) as file:
        return int(file.metadata.num_row_groups)


def _read_group(symbol: str, group: Group) -> TradeRows:
    with opened(group.path, _WANTED) as file:
        _require_decimals(file.schema_arrow, group)
        rows = file.metadata.row_group(group.number).num_rows
        ids, times, prices, quantities = (np.empty(rows, np.int64) for _ in range(4))
        page = TradeRows(symbol, *group.scale, ids, times, prices, quantities, np.empty(rows, np.uint8))
        begin, names = 0, _names(file, group)
        for batch in file.iter_batches(BATCH_ROWS, row_groups=[group.number], columns=names, use_threads=False):
            end = begin + len(batch)
            if end <= rows:
                _fill(page.rows(begin, end), batch, group)
            begin = end
        if begin != rows:
            raise refused(f"row group {group.number} has {begin} rows, and should have {rows}", group.path)
    _require_rising(page.agg_id, group.path)
    if np.any(page.time[1:] < page.time[:-1]):
        np.maximum.accumulate(page.time, out=page.time)
    return page


def _require_decimals(schema: pa.Schema, group: Group) -> None:
    """One scale holds all of a symbol's days, so a column may be too coarse for it."""
    for name, decimals in group.scale._asdict().items():
        if (most := schema.field(name).type.scale) < decimals:
            raise refused(f"{name} has {most} decimals at most, and on another day {decimals}", group.path)


def _names(file: parquet.ParquetFile, group: Group) -> list[str]:
    """The columns to read: hardly a trade has an effective time of its own."""
    about = file.metadata.row_group(group.number)
    column = next(
        column for column in map(about.column, range(about.num_columns)) if column.path_in_schema == _EFFECTIVE
    )
    is_empty = column.statistics is not None and column.statistics.null_count == column.num_values
    return [name for name in TRADE_COLUMNS if name != _EFFECTIVE] if is_empty else TRADE_COLUMNS


def _fill(rows: TradeRows, batch: pa.RecordBatch, group: Group) -> None:
    """Convert a batch into its place of the page."""
    path = group.path
    rows.agg_id[:] = _present(batch, "agg_id", path).to_numpy()
    _present(batch, "trade_time", path)
    rows.time[:] = milliseconds(batch, "trade_time", path).to_numpy()
    if _EFFECTIVE in batch.schema.names:
        effective = milliseconds(batch, _EFFECTIVE, path)
        known = effective.is_valid().to_numpy(zero_copy_only=False)
        later = np.where(known, effective.fill_null(0).to_numpy(), rows.time)
        if (wrong := (later < rows.time) | (later > rows.time + DAY_MS)).any():  # all behind it would be as late
            agg_id = rows.agg_id[np.argmax(wrong)]
            raise refused(f"the effective_time of agg_id {agg_id} is not within a day from its trade_time", path)
        rows.time[:] = later
    rows.buyer_is_maker[:] = _bits(_present(batch, "buyer_is_maker", path))
    for name, into, decimals in (
        ("price", rows.price, group.scale.price),
        ("quantity", rows.quantity, group.scale.quantity),
    ):
        column = _present(batch, name, path)
        halves, scale = _halves(column), column.type.scale
        if not exact_quotients(halves, scale - decimals, into):
            raise _unfit(rows.agg_id, halves[::2], name, Scale(decimals, scale), path)


def _present(batch: pa.RecordBatch | pa.Table, name: str, path: Path) -> pa.Array:
    column = batch.column(name)
    if column.null_count:
        raise refused(f"{name} is missing in {column.null_count} rows", path)
    return column


def _bits(column: pa.Array) -> NDArray[np.uint8]:
    """1 where true. Arrow's own way to an array of bytes takes ten times as long."""
    first = column.offset % 8
    packed = np.frombuffer(column.buffers()[1], np.uint8)[column.offset // 8 :]
    return np.unpackbits(packed, count=first + len(column), bitorder="little")[first:]


def _halves(column: pa.Array) -> Int64:
    """The integers behind decimal128 values, which must fit 64 bits."""
    return np.frombuffer(column.buffers()[1], "<i8")[2 * column.offset : 2 * (column.offset + len(column))]


def _unfit(ids: Int64, values: Int64, name: str, decimals: tuple[int, int], path: Path) -> UnreadableFile:
    """The first value that is not positive, or has more decimals than the file says; `decimals`: said, and of the column."""
    said, scale = decimals
    row = int(np.argmax((values <= 0) | (values % 10 ** (scale - said) != 0)))
    found = Decimal(int(values[row])).scaleb(-scale)
    why = f"has more than the {said} decimals that the file says" if found > 0 else "is not positive"
    return refused(f"the {name} of agg_id {ids[row]}, {found:f}, {why}", path)
