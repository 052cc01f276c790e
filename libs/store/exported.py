"""The Parquet files of `perpstream data export`: what each holds and where it lies. The export writes them, backtests read them.

Prices and quantities are decimal128(18, 8) in every file: the exchange has 8 decimals at most, 18 digits are stored as 64-bit
integers, and one scale for all symbols lets a folder be read as one table (docs/decisions/0018-history.md). Symbol and day stand
in the folders' names only.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa

FileName = Literal["trades", "liquidations", "indicators", "mark_prices", "funding"]
DECIMALS = 8
MONEY = pa.decimal128(18, DECIMALS)
INSTANT = pa.timestamp("ms", tz="UTC")
TRADES = pa.schema(
    [
        pa.field("agg_id", pa.int64(), nullable=False),
        pa.field("trade_time", INSTANT, nullable=False),
        pa.field("price", MONEY, nullable=False),
        pa.field("quantity", MONEY, nullable=False),
        pa.field("first_trade_id", pa.int64(), nullable=False),
        pa.field("last_trade_id", pa.int64(), nullable=False),
        pa.field("buyer_is_maker", pa.bool_(), nullable=False),
        pa.field("effective_time", INSTANT),
    ]
)
"""Its metadata say the decimals that the values really have: `price_decimals` and `quantity_decimals`."""
LIQUIDATIONS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("trade_time", INSTANT, nullable=False),
        pa.field("event_time", INSTANT, nullable=False),
        *(
            pa.field(name, MONEY, nullable=False)
            for name in ("quantity", "average_price", "order_price", "last_filled_quantity")
        ),
        pa.field("status", pa.string(), nullable=False),
        pa.field("effective_at", INSTANT),
    ]
)
# Numbers of slow inputs have any number of decimals, and differ by kind: they stay the exact text that is stored.
INDICATORS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("period", pa.string()),
        pa.field("event_time", INSTANT, nullable=False),
        pa.field("values", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("effective_at", INSTANT),
        pa.field("available_at", INSTANT),
        pa.field("availability_assumed", pa.bool_(), nullable=False),
        pa.field("raw", pa.string()),
    ]
)
EXTREMES = ("lowest_mark_price", "highest_mark_price")
"""Columns of mark prices that files of before December 2026 do not have."""
# The digits of these are the exact text too: a replay gives the inputs of its signals as they were written.
MARK_PRICES = pa.schema(
    [
        pa.field("event_time", INSTANT, nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("mark_price", "index_price")),
        *(pa.field(name, pa.string()) for name in ("estimated_settle_price", "mark_price_average", "funding_rate")),
        pa.field("next_funding_time", INSTANT, nullable=False),
        pa.field("basis_percent", pa.string()),
        pa.field("effective_at", INSTANT),
        *(pa.field(name, pa.string()) for name in EXTREMES),
    ]
)
FUNDING = pa.schema(
    [
        pa.field("funding_time", INSTANT, nullable=False),
        pa.field("funding_rate", pa.string(), nullable=False),
        pa.field("interval_hours", pa.int32()),
    ]
)
SCHEMAS: Mapping[FileName, pa.Schema] = {
    "trades": TRADES,
    "liquidations": LIQUIDATIONS,
    "indicators": INDICATORS,
    "mark_prices": MARK_PRICES,
    "funding": FUNDING,
}


def symbol_folder(folder: Path, name: FileName, symbol: str) -> Path:
    """Below `folder`, where the days of a symbol's files of one kind lie."""
    return folder / name / f"symbol={symbol}"


def path_of(folder: Path, name: FileName, symbol: str, day: dt.date) -> Path:
    """The file of one UTC day."""
    return symbol_folder(folder, name, symbol) / f"day={day}" / f"{name}.parquet"
