"""Stored data as Parquet files, one a table, symbol and UTC day: `trades/symbol=BTCUSDT/day=2024-08-08/trades.parquet`.

What they hold: libs/store/exported.py. Files appear whole or not at all.
"""

import datetime as dt
import errno
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from libs.contracts.plausible import wrong_symbol
from libs.kit.errors import UserError
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine
from libs.store.exported import (
    DECIMALS,
    INSTANT,
    MONEY,
    SCHEMAS,
    TRADES,
    FileName,
    path_of,
)
from libs.store.reading import StoredSpan, UnfitRow, stored_span, trade_pages, traded_days
from libs.store.slow_rows import SlowTable, slow_days, slow_rows

_DAY = dt.timedelta(days=1)
_MOST_SCALED = 10**18
_ADVICE = (
    dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free space, or name another folder")
    | dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a folder that you may write to")
    | dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of the path is a file: name a folder")
)
_SHOWN_KEY = 120
# Differences of neighbours are small, and little is left to compress in them (figures: docs/decisions/0018-history.md).
_NUMBERS = [column.name for column in TRADES if column.type != pa.bool_()]
TRADE_FILES: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": False,
    "column_encoding": dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED"),
    "store_decimal_as_integer": True,
}
"""How files of trades are written, as keywords of `pyarrow.parquet.ParquetWriter`."""
_SLOW: dict[SlowTable, FileName] = {
    "liquidation_events": "liquidations",
    "market_indicators": "indicators",
    "rate_snapshots": "mark_prices",
    "funding_rates": "funding",
}


class Progress(Protocol):
    """Who shows how far it is."""

    def start(self, file: str, what: str, total: int) -> None: ...
    def move(self, done: int) -> None: ...


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file: `bytes` on disk."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportSpan:
    """Whole UTC days: both ends are midnights, and `stop` is not included."""

    start: dt.datetime
    stop: dt.datetime


@dataclass(slots=True)
class Exporter:
    """Writes below `folder`; a file that is there already is replaced.

    One row that does not fit costs the file it belongs to and no other: `left_out` says which files, and why.
    """

    engine: Engine
    folder: Path
    progress: Progress
    left_out: list[UserError] = field(default_factory=list)

    async def trades(self, symbol: str, span: ExportSpan) -> AsyncIterator[ExportedFile]:
        """A file for each day of the symbol that has trades, rows in id order. Raises `UserError` for a full disk."""
        for day in await traded_days(self.engine, symbol, span.start, span.stop):
            start = dt.datetime.combine(day, dt.time(), dt.UTC)
            stored = await stored_span(self.engine, symbol, start, start + _DAY)
            if stored is None:
                continue
            try:
                file = await self._trade_day(stored, day)
            except UnfitRow as error:
                self._leave_out("trades", symbol, day, error)
            else:
                yield file

    async def slow(self, table: SlowTable, symbols: list[str], span: ExportSpan) -> AsyncIterator[ExportedFile]:
        """A file for each symbol and day of a table that has few rows: a day is in memory at a time."""
        name = _SLOW[table]
        schema = SCHEMAS[name]
        for day in await slow_days(self.engine, table, symbols, span.start, span.stop):
            start = dt.datetime.combine(day, dt.time(), dt.UTC)
            by_symbol: dict[str, list[dict[str, Any]]] = {}
            async for page in slow_rows(self.engine, table, symbols, start, start + _DAY):
                for row in page:
                    by_symbol.setdefault(row["symbol"], []).append(row)
            for symbol, rows in sorted(by_symbol.items()):
                try:
                    with self._file(name, symbol, day, schema) as file:
                        file.write(_slow_table(rows, schema))
                except UnfitRow as error:
                    self._leave_out(name, symbol, day, error)
                else:
                    yield file.ended()

    async def _trade_day(self, stored: StoredSpan, day: dt.date) -> ExportedFile:
        total = stored.last_id - stored.first_id + 1
        self.progress.start(f"{stored.symbol} {day}", "trades of", total)
        with self._file("trades", stored.symbol, day, _with_scale(stored)) as file:
            async for page in trade_pages(self.engine, stored):
                file.write(_trade_table(page))
                self.progress.move(int(page.agg_id[-1]) - stored.first_id + 1)
        return file.ended()

    def _leave_out(self, name: FileName, symbol: str, day: dt.date, error: UnfitRow) -> None:
        self.left_out.append(
            UserError(
                f"not exported: {error.advice.what}",
                where=f"{name} of {symbol!r}, {day}",
                todo="export that day with SQL, or remove the row and export again",
            )
        )

    def _file(self, name: FileName, symbol: str, day: dt.date, schema: pa.Schema) -> "_NewFile":
        # Rows may be older than the check of the symbols that come in, and this name becomes a folder.
        if (what := wrong_symbol(symbol)) is not None:
            raise _unfit(what)
        return _NewFile(path_of(self.folder, name, symbol, day), schema)


class _NewFile:
    """A Parquet file under another name until it is whole."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._encoding: dict[str, Any] = TRADE_FILES if path.stem == "trades" else {"compression": "zstd"}
        self._unfinished = path.with_name(f".{path.name}.unfinished")
        self._rows = 0

    def __enter__(self) -> "_NewFile":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = parquet.ParquetWriter(self._unfinished, self._schema, **self._encoding)
        except OSError as error:
            raise unwritable(error, self._path) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            self._writer.close()
            if kind is None:
                self._unfinished.replace(self._path)
        except OSError as failure:
            raise unwritable(failure, self._path) from None
        finally:
            self._unfinished.unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        """One row group."""
        try:
            self._writer.write_table(table)
        except OSError as error:
            raise unwritable(error, self._path) from None
        self._rows += table.num_rows

    def ended(self) -> ExportedFile:
        """What stands there now."""
        return ExportedFile(str(self._path), self._rows, self._path.stat().st_size)


def unwritable(error: OSError, path: Path) -> UserError:
    """What a person can do about it: only a full disk is helped by space."""
    why = f"the file cannot be written: {error.strerror or error}"
    return UserError(why, where=str(path), todo=_ADVICE.get(error.errno or 0, "name another folder"))


def _with_scale(stored: StoredSpan) -> pa.Schema:
    """The schema with the decimals that the values really have, which one scale for all symbols does not show."""
    scales = {"price_decimals": stored.price_decimals, "quantity_decimals": stored.quantity_decimals}
    return TRADES.with_metadata({name: str(min(decimals, DECIMALS)) for name, decimals in scales.items()})


def _trade_table(page: SymbolTrades) -> pa.Table:
    late = page.time != page.trade_time
    columns = [
        pa.array(page.agg_id),
        pa.array(page.trade_time, pa.int64()).cast(INSTANT),
        _money(page, "price", page.price_decimals),
        _money(page, "quantity", page.quantity_decimals),
        pa.array(page.first_trade_id),
        pa.array(page.last_trade_id),
        pa.array(page.buyer_is_maker.astype(np.bool_)),
        pa.array(page.time, pa.int64(), mask=~late).cast(INSTANT),
    ]
    return pa.Table.from_arrays(columns, schema=TRADES)


def _money(page: SymbolTrades, name: str, decimals: int) -> pa.Array:
    """Scaled integers as decimals without a detour over text: 128 bits, little-endian, in two halves."""
    values = getattr(page, name)
    step = 10 ** abs(DECIMALS - decimals)
    if decimals > DECIMALS and np.any(values % step):
        row = int(np.argmax(values % step != 0))
        raise _unfit(f"the {name} of agg_id {page.agg_id[row]} has more than {DECIMALS} decimals")
    limit = _MOST_SCALED // step if decimals <= DECIMALS else _MOST_SCALED
    if len(values) and int(values.max()) >= limit:
        row = int(np.argmax(values >= limit))
        raise _unfit(f"the {name} of agg_id {page.agg_id[row]} is not below 10^{18 - DECIMALS}")
    scaled = values * step if decimals <= DECIMALS else values // step
    halves = np.zeros((len(values), 2), "<i8")
    halves[:, 0], halves[:, 1] = scaled, np.where(scaled < 0, -1, 0)
    return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(halves.tobytes())])


def _unfit(what: str) -> UnfitRow:
    return UnfitRow(what, where="export", todo="export that day with SQL")


def _slow_table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = []
    for column in schema:
        values = [row[column.name] for row in rows]
        if pa.types.is_map(column.type):
            values = [
                [(key, str(value)) for key, value in json.loads(text, parse_float=Decimal).items()] for text in values
            ]
        elif column.type == pa.string():
            # The driver gives 10000 as 1E+4; what was written had no exponent.
            values = [f"{value:f}" if isinstance(value, Decimal) else value for value in values]
        try:
            columns.append(pa.array(values, column.type))
        except pa.ArrowInvalid:
            row = next(row for row, value in enumerate(values) if not _fits(value, column.type))
            key = str(rows[row].get("event_id") or rows[row][schema.names[0]])[:_SHOWN_KEY]
            raise _unfit(f"the {column.name} of {key!r}, {values[row]}, does not fit {column.type}") from None
    return pa.Table.from_arrays(columns, schema=schema)


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except pa.ArrowInvalid:
        return False
    return True
