"""Files of an export: the columns that are wanted, of their types, as batches or rows, or one line that says what is wrong where.

What they should hold is the schema with which they were written, `libs/store/exported.py`. Rows are counted from 0.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as parquet

from libs.contracts.plausible import wrong_decimal
from libs.kit.errors import BadMessage
from libs.store.exported import INSTANT
from services.backtester.sources.unreadable import DAMAGES, UnreadableFile, refused, shown, unreadable

Row = dict[str, Any]
T = TypeVar("T")
_MOST_DIGITS = 18  # more do not fit 64 bits


@contextmanager
def opened(path: Path, wanted: pa.Schema) -> Iterator[parquet.ParquetFile]:
    """The file, which has the wanted columns. Raises `UnreadableFile`, also for what goes wrong while it is open."""
    try:
        with parquet.ParquetFile(path) as file:
            check_schema(file.schema_arrow, wanted, path)
            yield file
    except DAMAGES as error:
        raise unreadable(path, error) from None


def has_columns(path: Path, names: Sequence[str]) -> bool:
    """Whether the file has any of these columns, which files of before did not have. Raises `UnreadableFile`."""
    with opened(path, pa.schema([])) as file:
        return any(name in file.schema_arrow.names for name in names)


def day_of(path: Path) -> dt.date:
    """The UTC day of a file by its folder. Raises `UnreadableFile`."""
    text = path.parent.name.removeprefix("day=")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UnreadableFile(
            f"{text!r} is no day", where=str(path.parent), todo="name folders as `perpstream data export` does"
        ) from None


def start_of(path: Path) -> int:
    """The first ms of the UTC day of a file."""
    return int(dt.datetime.combine(day_of(path), dt.time(), dt.UTC).timestamp()) * 1000


def columns_of(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """Some columns of a schema, in this order."""
    return pa.schema([schema.field(name) for name in names])


def check_schema(found: pa.Schema, wanted: pa.Schema, path: Path) -> None:
    """Raises `UnreadableFile` for the first column of `wanted` that is not there, is there twice, or is of another type."""
    for column in wanted:
        places = found.get_all_field_indices(column.name)
        if len(places) != 1:
            raise refused(f"there {'are several columns' if places else 'is no column'} {column.name}", path)
        kind = found.field(places[0]).type
        if not _fits(kind, column.type):
            raise refused(f"{column.name} must be {_words(column.type)}, not {shown(str(kind))}", path)


def _fits(kind: pa.DataType, wanted: pa.DataType) -> bool:
    types = pa.types
    if types.is_timestamp(wanted):
        return bool(types.is_timestamp(kind))  # of any unit, if it is whole milliseconds
    if types.is_decimal(wanted):
        return bool(types.is_decimal128(kind)) and kind.precision <= _MOST_DIGITS and 0 <= kind.scale <= _MOST_DIGITS
    return bool(kind == wanted or (types.is_string(wanted) and types.is_large_string(kind)))


def _words(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal128 of at most {_MOST_DIGITS} digits"
    return "a timestamp" if pa.types.is_timestamp(kind) else str(kind)


def read_rows(path: Path, wanted: pa.Schema) -> list[Row]:
    """The wanted columns of each row, instants as ms. Raises `UnreadableFile`."""
    rows: list[Row] = []
    with opened(path, wanted) as file:
        for batch in file.iter_batches(columns=wanted.names):
            batch.validate(full=True)  # bytes that are no text, above all
            _check_nulls(batch, wanted, path, len(rows))
            columns = [
                milliseconds(batch, column.name, path) if column.type == INSTANT else batch.column(column.name)
                for column in wanted
            ]
            rows += pa.RecordBatch.from_arrays(columns, wanted.names).to_pylist()
    return rows


def milliseconds(batch: pa.RecordBatch | pa.Table, name: str, path: Path) -> pa.Array:
    """Instants as integers: not every one of them is a moment that Python knows. Raises `UnreadableFile` for finer ones."""
    try:
        return batch.column(name).cast(INSTANT).cast(pa.int64())
    except pa.ArrowInvalid:
        raise refused(f"{name} is not in whole milliseconds", path) from None


def _check_nulls(batch: pa.RecordBatch, wanted: pa.Schema, path: Path, first_row: int) -> None:
    for column in wanted:
        values = batch.column(column.name)
        if values.null_count and not column.nullable:
            raise refused(f"{column.name} is missing in row {first_row + values.is_null().index(True).as_py()}", path)


def made(path: Path, numbered: Iterable[tuple[int, Row]], make: Callable[[Row], T]) -> list[T]:
    """What `make` makes of each row. Where it raises `BadMessage`, an `UnreadableFile` names the row."""
    found = []
    for place, row in numbered:
        try:
            found.append(make(row))
        except BadMessage as error:
            raise refused(f"row {place}: {error.detail}", path) from None
    return found


def number(name: str, text: str | None) -> Decimal:
    """A number of a row; `name` names it. Raises `BadMessage` for what is none, and for NaN and the like."""
    try:
        value = Decimal(text or "")
    except ArithmeticError:
        raise BadMessage("bad_number", f"{name} is no number: {shown(text)}") from None
    if (what := wrong_decimal(value)) is not None:
        raise BadMessage("bad_number", f"{name} {what}: {shown(text)}")
    return value
