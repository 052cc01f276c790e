"""Aggregate trades as PostgreSQL's binary COPY format, built column by column with numpy: no Python object per row.

Source: PostgreSQL documentation, COPY, "Binary Format"; the layout of numeric is that of `numeric_recv` (ndigits, weight, sign,
dscale, base-10000 digits), which accepts leading and trailing zero digits and strips them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from libs.contracts.frames import Int64

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
COLUMNS = (
    "symbol",
    "agg_id",
    "trade_time",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "buyer_is_maker",
    "effective_time",
)
_POSTGRES_EPOCH_MS = 946_684_800_000
_NEGATIVE = 0x4000
_BASE = 10_000
_BASE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class SymbolTrades:
    """Rows of one symbol with one scale, ids strictly rising; equally long columns.

    `price` and `quantity` are integers scaled by `10**decimals`; `trade_time` is the venue's T and `time` the effective time
    (ms), which differs from T only for late rows.
    """

    symbol: str
    price_decimals: int
    quantity_decimals: int
    agg_id: Int64
    price: Int64
    quantity: Int64
    first_trade_id: Int64
    last_trade_id: Int64
    trade_time: Int64
    time: Int64
    buyer_is_maker: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.agg_id)

    def select(self, mask: NDArray[np.bool_]) -> "SymbolTrades":
        """The rows where `mask` is true."""
        return SymbolTrades(
            symbol=self.symbol,
            price_decimals=self.price_decimals,
            quantity_decimals=self.quantity_decimals,
            agg_id=self.agg_id[mask],
            price=self.price[mask],
            quantity=self.quantity[mask],
            first_trade_id=self.first_trade_id[mask],
            last_trade_id=self.last_trade_id[mask],
            trade_time=self.trade_time[mask],
            time=self.time[mask],
            buyer_is_maker=self.buyer_is_maker[mask],
        )


@dataclass(frozen=True, slots=True)
class _Numeric:
    """A column of numerics with the same number of base-10000 digits in each row."""

    digits: NDArray[np.int16]
    weight: int
    sign: NDArray[np.uint16]
    scale: int


def _numeric(values: Int64, decimals: int) -> _Numeric:
    magnitude = np.abs(values)
    unit = 10**decimals
    whole, fraction = np.divmod(magnitude, unit)
    fraction_digits = -(-decimals // _BASE_DIGITS)
    fraction = fraction * 10 ** (fraction_digits * _BASE_DIGITS - decimals)
    whole_digits = max(1, -(-len(str(int(whole.max(initial=0)))) // _BASE_DIGITS))
    digits = np.empty((len(values), whole_digits + fraction_digits), np.int16)
    for part, count, start in ((whole, whole_digits, 0), (fraction, fraction_digits, whole_digits)):
        rest = part
        for position in range(start + count - 1, start - 1, -1):
            rest, digits[:, position] = np.divmod(rest, _BASE)
    return _Numeric(digits, whole_digits - 1, np.where(values < 0, _NEGATIVE, 0).astype(np.uint16), decimals)


def _numeric_type(column: _Numeric) -> list[tuple[str, str] | tuple[str, str, int]]:
    return [
        ("length", ">i4"),
        ("ndigits", ">i2"),
        ("weight", ">i2"),
        ("sign", ">u2"),
        ("scale", ">u2"),
        ("digits", ">i2", column.digits.shape[1]),
    ]


def _fill_numeric(target: NDArray[np.void], column: _Numeric) -> None:
    count = column.digits.shape[1]
    target["length"] = 8 + 2 * count
    target["ndigits"] = count
    target["weight"] = column.weight
    target["sign"] = column.sign
    target["scale"] = column.scale
    target["digits"] = column.digits


def _encode(groups: Sequence[SymbolTrades], *, late: bool) -> bytes:
    """Tuples of groups whose symbols have the same length and whose scales are the same: their tuples have one layout."""
    first, names = groups[0], [group.symbol.encode() for group in groups]
    price = _numeric(_joined([group.price for group in groups]), first.price_decimals)
    quantity = _numeric(_joined([group.quantity for group in groups]), first.quantity_decimals)
    wide = {
        "agg_id": _joined([group.agg_id for group in groups]),
        "trade_time": (_joined([group.trade_time for group in groups]) - _POSTGRES_EPOCH_MS) * 1000,
        "first_trade_id": _joined([group.first_trade_id for group in groups]),
        "last_trade_id": _joined([group.last_trade_id for group in groups]),
    }
    if late:
        wide["effective_time"] = (_joined([group.time for group in groups]) - _POSTGRES_EPOCH_MS) * 1000
    rows = np.zeros(len(wide["agg_id"]), _layout(len(names[0]), price, quantity, late=late))
    rows["fields"] = len(COLUMNS)
    rows["symbol_length"] = len(names[0])
    rows["symbol"] = np.repeat(np.array(names), [len(group) for group in groups])
    for name, values in wide.items():
        rows[f"{name}_length"] = 8
        rows[name] = values
    _fill_numeric(rows["price"], price)
    _fill_numeric(rows["quantity"], quantity)
    rows["buyer_is_maker_length"] = 1
    rows["buyer_is_maker"] = np.concatenate([group.buyer_is_maker for group in groups]) != 0
    if not late:
        rows["effective_time_length"] = -1  # NULL
    return rows.tobytes()


def _joined(columns: Sequence[Int64]) -> Int64:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _layout(symbol_length: int, price: _Numeric, quantity: _Numeric, *, late: bool) -> "np.dtype[np.void]":
    layout: list[tuple[object, ...]] = [("fields", ">i2"), ("symbol_length", ">i4"), ("symbol", f"S{symbol_length}")]
    for name in COLUMNS[1:]:
        if name in ("price", "quantity"):
            layout.append((name, _numeric_type(price if name == "price" else quantity)))
            continue
        layout.append((f"{name}_length", ">i4"))
        if name == "buyer_is_maker":
            layout.append((name, "u1"))
        elif name != "effective_time" or late:
            layout.append((name, ">i8"))
    return np.dtype(layout)


def encode_trades(trades: Sequence[SymbolTrades]) -> list[bytes]:
    """All rows as COPY tuples without header and trailer; `effective_time` is NULL where it equals the trade time.

    Symbols that share a layout are encoded together: hundreds of symbols with few rows each would cost a call each.
    """
    alike: dict[tuple[bool, int, int, int], list[SymbolTrades]] = {}
    for group in trades:
        late = group.time != group.trade_time
        key = (len(group.symbol.encode()), group.price_decimals, group.quantity_decimals)
        if not late.any():
            alike.setdefault((False, *key), []).append(group)
            continue
        alike.setdefault((True, *key), []).append(group.select(late))
        if not late.all():
            alike.setdefault((False, *key), []).append(group.select(~late))
    return [_encode(groups, late=key[0]) for key, groups in alike.items()]
