"""Folders that `perpstream data export` has written: `trades/symbol=BTCUSDT/day=2024-08-08/trades.parquet` and beside."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from libs.contracts.market import LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from libs.kit.errors import UserError
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days
from services.backtester.sources.assumed import known_from, liquidations_received
from services.backtester.sources.merging import each

TRADE_COLUMNS = ["agg_id", "trade_time", "price", "quantity", "buyer_is_maker", "effective_time"]
"""What is read of a file of trades."""
_MARK_COLUMNS = (
    "event_time",
    "mark_price",
    "index_price",
    "estimated_settle_price",
    "mark_price_average",
    "funding_rate",
    "next_funding_time",
)
_FUNDING_COLUMNS = ("funding_time", "funding_rate")
Int64 = NDArray[np.int64]


class UnreadableFile(UserError):
    """A Parquet file that is none of ours, or is damaged: which one, and why."""


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Ids that are missing between rows are holes. Liquidations are taken as received throughout where a day has their file."""

    folder: Path
    _scales: dict[tuple[str, Span], tuple[int, int]] = field(default_factory=dict)

    @property
    def description(self) -> str:
        return f"Parquet files of {self.folder}"

    @property
    def view(self) -> View:
        return "repaired"

    async def symbols(self) -> list[str]:
        found = (self.folder / "trades").glob("symbol=*")
        return sorted(path.name.removeprefix("symbol=") for path in found)

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        rows, last, firsts, known, days = 0, -1, list[int](), list[int](), []
        for path in self._files("trades", symbol, span):
            ids, times = _seen_between(path, span)
            if not len(ids):
                continue
            if int(ids[0]) <= last:
                raise _unordered(path)
            firsts.append(int(ids[0]))
            last, rows, known = int(ids[-1]), rows + len(ids), [*known, int(times[0]), int(times[-1]) + 1]
            days.append(_day_of(path))
        if not firsts:
            return None
        missing = last - firsts[0] + 1 - rows
        return Stored(symbol, rows, missing, empty_days(span, days), span, Span(min(known), max(known)))

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return ()

    async def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        scale, newest, last_id = self._scale(symbol, span), -1, -1
        async with aclosing(_row_groups(self._files("trades", symbol, span))) as groups:
            async for path, table in groups:
                page = _in_scale(_rows(symbol, table, newest, path), scale)
                if not len(page):
                    continue
                if int(page.agg_id[0]) <= last_id:
                    raise _unordered(path)
                newest, last_id = int(page.time[-1]), int(page.agg_id[-1])
                inside = page.rows(page.before(span.start_ms), page.before(span.end_ms))
                if len(inside):
                    yield inside

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        return None

    async def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        found: list[PlacedEvent] = []
        for path in self._files("indicators", symbol, span):
            found += _events(path, symbol, _read(path, None).to_pylist(), _indicator)
        for path in self._files("mark_prices", symbol, span):
            found += _events(path, symbol, _rows_of(path, _MARK_COLUMNS), _mark_price)
        for path in self._files("liquidations", symbol, span):
            start_ms = int(dt.datetime.combine(_day_of(path), dt.time(), dt.UTC).timestamp() * 1000)
            found.append(
                PlacedEvent(
                    known_from(start_ms), liquidations_received(symbol, start_ms, "the day has a file of liquidations")
                )
            )
            found += [_liquidation(symbol, row) for row in _read(path, None).to_pylist()]
        found.sort(key=lambda item: item.effective_at_ms)
        async for event in each(found):
            yield event

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        # What was imported knows no mark price; of two rows of one settlement the later in this list counts.
        found: list[Settlement] = []
        for path in self._files("funding", symbol, span):
            found += _settled(path, _rows_of(path, _FUNDING_COLUMNS), _imported)
        for path in self._files("indicators", symbol, span):
            rows = (row for row in _read(path, None).to_pylist() if row["kind"] == "funding_rate")
            found += _settled(path, rows, _observed)
        found = [item for item in found if span.start_ms <= item.time_ms < span.end_ms]
        return sorted(found, key=lambda item: item.time_ms)

    def _scale(self, symbol: str, span: Span) -> tuple[int, int]:
        """The fewest decimals that hold every value of the symbol's files: one scale for all pages."""
        known = self._scales.get((symbol, span))
        if known is None:
            scales = [_scale_of(path) for path in self._files("trades", symbol, span)] or [(0, 0)]
            known = self._scales[symbol, span] = max(one for one, _ in scales), max(two for _, two in scales)
        return known

    def _files(self, name: str, symbol: str, span: Span) -> list[Path]:
        """The days' files that the span touches, oldest first."""
        first = dt.datetime.fromtimestamp(span.start_ms / 1000, dt.UTC).date()
        last = dt.datetime.fromtimestamp((span.end_ms - 1) / 1000, dt.UTC).date()
        folders = sorted((self.folder / name / f"symbol={symbol}").glob("day=*"))
        paths = (folder / f"{name}.parquet" for folder in folders)
        return [path for path in paths if first <= _day_of(path) <= last]


def _day_of(path: Path) -> dt.date:
    text = path.parent.name.removeprefix("day=")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UnreadableFile(
            f"{text!r} is no day", where=str(path.parent), todo="name folders as `perpstream data export` does"
        ) from None


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        return parquet.read_table(path, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


async def _row_groups(paths: Sequence[Path]) -> AsyncGenerator[tuple[Path, pa.Table]]:
    """The columns of trades of each row group. Decompression lets other threads run: the next one is read meanwhile."""
    places = ((path, number) for path in paths for number in range(_group_count(path)))
    coming = _reading(next(places, None))
    try:
        while coming is not None:
            path, reading = coming
            table = await reading
            coming = _reading(next(places, None))
            yield path, table
    finally:
        if coming is not None:
            coming[1].cancel()


def _reading(place: tuple[Path, int] | None) -> "tuple[Path, asyncio.Future[pa.Table]] | None":
    """Begins at once; a task would wait until the loop is free, which the evaluation of a page keeps busy."""
    return None if place is None else (place[0], asyncio.get_running_loop().run_in_executor(None, _read_group, *place))


def _group_count(path: Path) -> int:
    try:
        return int(parquet.read_metadata(path).num_row_groups)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _read_group(path: Path, number: int) -> pa.Table:
    try:
        with parquet.ParquetFile(path) as file:
            return file.read_row_group(number, columns=TRADE_COLUMNS)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _unordered(path: Path) -> UnreadableFile:
    return UnreadableFile("the ids do not rise", where=str(path), todo="export that day again")


def _rows_of(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    table = _read(path, None)
    if missing := set(columns) - set(table.column_names):
        raise UnreadableFile(
            f"there is no column {', '.join(sorted(missing))}", where=str(path), todo="export that day again"
        )
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _unreadable(path: Path, error: Exception) -> UnreadableFile:
    what = f"the file cannot be read: {str(error).splitlines()[0][:200]}"
    return UnreadableFile(what, where=str(path), todo="export that day again, or remove the file")


def _rows(symbol: str, table: pa.Table, newest_ms: int, path: Path) -> TradeRows:
    missing = set(TRADE_COLUMNS) - set(table.column_names)
    if missing:
        raise UnreadableFile(
            f"there is no column {', '.join(sorted(missing))}", where=str(path), todo="export that day again"
        )
    ids = table.column("agg_id").to_numpy()
    if np.any(ids[1:] <= ids[:-1]):
        raise _unordered(path)
    trade_time = _milliseconds(table.column("trade_time"))
    effective = table.column("effective_time")
    time = trade_time
    if effective.null_count != len(effective):
        time = np.where(effective.is_valid().to_numpy(), _milliseconds(effective.fill_null(0)), trade_time)
    return TradeRows(
        symbol=symbol,
        price_decimals=table.schema.field("price").type.scale,
        quantity_decimals=table.schema.field("quantity").type.scale,
        agg_id=ids,
        time=_never_falling(time, newest_ms),
        price=_integers(table.column("price"), path),
        quantity=_integers(table.column("quantity"), path),
        buyer_is_maker=table.column("buyer_is_maker").to_numpy().view(np.uint8),
    )


def _seen_between(path: Path, span: Span) -> tuple[Int64, Int64]:
    """Ids and times (ms) of the file's trades in the span; a late one counts with its neighbours, which is exact enough here."""
    table = _read(path, ["agg_id", "trade_time"])
    ids: Int64 = table.column("agg_id").to_numpy()
    times = _never_falling(_milliseconds(table.column("trade_time")), -1)
    begin, end = np.searchsorted(times, [span.start_ms, span.end_ms]).tolist()
    return ids[begin:end], times[begin:end]


def _never_falling(time: Int64, newest_ms: int) -> Int64:
    if len(time) and (time[0] < newest_ms or np.any(time[1:] < time[:-1])):
        return np.maximum(np.maximum.accumulate(time), newest_ms)
    return time


def _scale_of(path: Path) -> tuple[int, int]:
    """Decimals of prices and quantities: as the export says, else as the values have them."""
    try:
        said = parquet.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None
    if b"price_decimals" in said and b"quantity_decimals" in said:
        return int(said[b"price_decimals"]), int(said[b"quantity_decimals"])
    table = _read(path, ["price", "quantity"])
    scales = [
        _fewest(_integers(table.column(name), path), table.schema.field(name).type.scale) for name in table.column_names
    ]
    return scales[0], scales[1]


def _fewest(values: Int64, decimals: int) -> int:
    while decimals > 0 and not np.any(values % 10):
        values, decimals = values // 10, decimals - 1
    return decimals


def _in_scale(page: TradeRows, scale: tuple[int, int]) -> TradeRows:
    price, quantity = scale
    return replace(
        page,
        price_decimals=price,
        quantity_decimals=quantity,
        price=_coarser(page.price, page.price_decimals - price),
        quantity=_coarser(page.quantity, page.quantity_decimals - quantity),
    )


def _coarser(values: Int64, decimals: int) -> Int64:
    close = np.ascontiguousarray(values)  # a division of neighbours is three times as fast as one of every other number
    return close // 10**decimals if decimals else close


def _milliseconds(column: pa.ChunkedArray) -> Int64:
    found: Int64 = column.cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_numpy()
    return found


def _integers(column: pa.ChunkedArray, path: Path) -> Int64:
    """The scaled integers of decimal128 values, which must fit 64 bits: 18 digits do. Where possible a view."""
    if not pa.types.is_decimal128(column.type) or column.type.precision > 18 or column.null_count:
        raise UnreadableFile(
            f"prices and quantities must be decimal128 of at most 18 digits without nulls, not {column.type}",
            where=str(path),
            todo="export that day again",
        )
    parts = [
        np.frombuffer(chunk.buffers()[1], "<i8")[2 * chunk.offset : 2 * (chunk.offset + len(chunk)) : 2]
        for chunk in column.chunks
        if len(chunk)
    ]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def _events(
    path: Path, symbol: str, rows: Iterable[dict[str, Any]], make: Callable[[str, dict[str, Any]], PlacedEvent]
) -> list[PlacedEvent]:
    try:
        return [make(symbol, row) for row in rows]
    except ArithmeticError:
        raise _no_number(path) from None


def _settled(
    path: Path, rows: Iterable[dict[str, Any]], make: Callable[[dict[str, Any]], Settlement]
) -> list[Settlement]:
    try:
        return [make(row) for row in rows]
    except ArithmeticError:
        raise _no_number(path) from None


def _imported(row: dict[str, Any]) -> Settlement:
    return Settlement(_ms(row["funding_time"]), Decimal(row["funding_rate"]), None)


def _observed(row: dict[str, Any]) -> Settlement:
    values = dict(row["values"])
    mark = values.get("mark_price")
    return Settlement(_ms(row["event_time"]), Decimal(values["funding_rate"]), None if mark is None else Decimal(mark))


def _no_number(path: Path) -> UnreadableFile:
    return UnreadableFile("one of its numbers is none", where=str(path), todo="export that day again")


def _indicator(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    known = row["available_at"] or row["event_time"]
    event = MarketIndicatorObserved(
        event_id=row["event_id"],
        event_time_ms=_ms(row["event_time"]),
        symbol=symbol,
        kind=row["kind"],
        period=row["period"],
        values={key: Decimal(value) for key, value in row["values"]},
        source=row["source"],
    )
    return PlacedEvent(known_from(_ms(known)), event)


def _liquidation(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    names = ("event_id", "side", "quantity", "average_price", "order_price", "last_filled_quantity", "status")
    event = LiquidationObserved(
        event_time_ms=_ms(row["event_time"]),
        symbol=symbol,
        trade_time_ms=_ms(row["trade_time"]),
        **{name: row[name] for name in names},
    )
    return PlacedEvent(known_from(_ms(row["event_time"])), event)


def _mark_price(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    at_ms = _ms(row["event_time"])
    known = {name: None if row[name] is None else Decimal(row[name]) for name in _MARK_COLUMNS[1:-1]}
    event = MarkPriceObserved(
        event_id=f"rate:{symbol}:{at_ms}",
        event_time_ms=at_ms,
        symbol=symbol,
        next_funding_time_ms=_ms(row["next_funding_time"]),
        mark_price=Decimal(row["mark_price"]),
        index_price=Decimal(row["index_price"]),
        **{name: value for name, value in known.items() if name not in ("mark_price", "index_price")},
    )
    return PlacedEvent(known_from(at_ms), event)
