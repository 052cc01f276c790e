"""Files of an export, written and changed by hand: what every test of them is made of."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from libs.store.exported import SCHEMAS, FileName, path_of
from services.console.history.parquet import TRADE_FILES

Row = Mapping[str, Any]


def write_table(folder: Path, name: FileName, symbol: str, day: date, table: pa.Table) -> Path:
    """The file of a day, packed as the export packs it."""
    path = path_of(folder, name, symbol, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    packing = TRADE_FILES if name == "trades" else {"compression": "zstd"}
    parquet.write_table(table, path, **packing)
    return path


def write_rows(folder: Path, name: FileName, symbol: str, rows: Iterable[Row]) -> None:
    """A file for each UTC day of the rows, which are in order of their first instant."""
    time = next(column.name for column in SCHEMAS[name] if column.name in ("event_time", "funding_time"))
    for day, found in groupby(rows, key=lambda row: row[time].astimezone(UTC).date()):
        write_table(folder, name, symbol, day, pa.Table.from_pylist(list(found), schema=SCHEMAS[name]))


def read_whole(path: Path) -> pa.Table:
    """Everything that a file holds."""
    return parquet.read_table(path, partitioning=None)


def change(path: Path, **columns: pa.Array | None) -> None:
    """Other contents for some columns of a file, in the type of what is given; None: the column goes."""
    table = read_whole(path)
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.remove_column(place) if column is None else table.set_column(place, name, column)
    parquet.write_table(table, path)


def change_metadata(path: Path, **said: str) -> None:
    """Other words of a file about itself."""
    table = read_whole(path)
    words = {name.encode(): text.encode() for name, text in said.items()}
    parquet.write_table(table.replace_schema_metadata((table.schema.metadata or {}) | words), path)
