"""Records as people read them: trades and bars out of their packed columns, money as decimal text, times in UTC."""

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from libs.contracts.market import AggTradeFrame, TradesBootstrapped

if TYPE_CHECKING:
    from libs.contracts.event import Event

_SHOWN_BYTES = 24
_COLUMNS = (
    "symbol_index",
    "agg_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "trade_time",
    "buyer_is_maker",
    "late_row",
    "late_time",
)


def readable(event: "Event") -> dict[str, Any]:
    """The event as plain data, columns decoded: `rows` of a frame, one mapping per bar of a bootstrap.

    Raises `BadMessage` for a frame whose columns cannot be read.
    """
    value: dict[str, Any] = msgspec.to_builtins(event, builtin_types=(bytes,))
    if isinstance(event, AggTradeFrame):
        fields = {name: content for name, content in value.items() if name not in _COLUMNS}
        fields["slices"] = [msgspec.structs.asdict(part) for part in event.slices]
        fields["holes"] = [msgspec.structs.asdict(hole) for hole in event.holes]
        return fields | {"rows": list(_trades(event))}
    if isinstance(event, TradesBootstrapped):
        return value | _bars(event)
    plain: dict[str, Any] = _shortened(value)
    return plain


def _trades(frame: AggTradeFrame) -> Iterator[dict[str, Any]]:
    from libs.contracts.frames import read_columns

    columns = read_columns(frame)
    for index, agg_id, price, quantity, first, last, trade_ms, time_ms, maker in zip(
        columns.symbol_index.tolist(),
        columns.agg_id.tolist(),
        columns.price.tolist(),
        columns.quantity.tolist(),
        columns.first_trade_id.tolist(),
        columns.last_trade_id.tolist(),
        columns.trade_time.tolist(),
        columns.time.tolist(),
        columns.buyer_is_maker.tolist(),
        strict=True,
    ):
        part = frame.slices[index]
        yield {
            "symbol": part.symbol,
            "id": agg_id,
            "side": "sell" if maker else "buy",
            "price": decimal_text(price, part.price_decimals),
            "quantity": decimal_text(quantity, part.quantity_decimals),
            "first_trade_id": first,
            "last_trade_id": last,
            "trade_time_ms": trade_ms,
            "time_ms": time_ms,
        }


def _bars(event: TradesBootstrapped) -> dict[str, Any]:
    price, quantity = event.price_decimals, event.quantity_decimals
    minute = {"volume": quantity, "taker_buy_volume": quantity, "quote_volume": price + quantity}
    candle = dict.fromkeys(("open", "high", "low", "close"), price)
    return {
        "minute_bars": _rows(event.minute_bars, minute),
        "candle_bars": _rows(event.candle_bars, candle),
    }


def _rows(packed: bytes, scales: Mapping[str, int]) -> list[dict[str, Any]]:
    """Bars of an opening time and scaled numbers, little-endian 64-bit."""
    row = struct.Struct(f"<{1 + len(scales)}q")
    return [
        {"open_time_ms": opened}
        | {name: decimal_text(raw, places) for (name, places), raw in zip(scales.items(), numbers, strict=True)}
        for opened, *numbers in row.iter_unpack(packed[: len(packed) // row.size * row.size])
    ]


def lines_of(schema: str, value: Mapping[str, Any]) -> list[str]:
    """What stands in the terminal after the place of a record: one line, and one more for each trade of a frame."""
    if schema == AggTradeFrame.SCHEMA and "rows" in value:
        return [_frame_line(value), *_trade_lines(value["rows"]), *map(_hole_line, value["holes"])]
    if schema == TradesBootstrapped.SCHEMA and "minute_bars" in value:
        spans = f"{_span(value['minute_bars'], '1-minute')}; {_span(value['candle_bars'], '5-minute')}"
        return [f"{value['symbol']} {spans}"]
    return [msgspec.json.encode(value).decode()]


def _frame_line(value: Mapping[str, Any]) -> str:
    count = len(value["rows"])
    trades = "no trade" if not count else "1 trade" if count == 1 else f"{count} trades"
    proven = min((part["watermark_ms"] for part in value["slices"]), default=-1)
    return f"{trades}; complete to {utc(proven)} for {', '.join(part['symbol'] for part in value['slices']) or '–'}"


def _trade_lines(rows: list[dict[str, Any]]) -> list[str]:
    widths = {
        name: max((len(str(row[name])) for row in rows), default=0) for name in ("symbol", "id", "price", "quantity")
    }
    return [
        f"  {row['symbol']:<{widths['symbol']}} {row['id']:>{widths['id']}} {row['side']:<4} "
        f"{row['price']:>{widths['price']}} {row['quantity']:>{widths['quantity']}} {utc(row['trade_time_ms'])}"
        for row in rows
    ]


def _hole_line(hole: Mapping[str, Any]) -> str:
    ids = f"ids {hole['first_missing_id']} to {hole['last_missing_id']} are missing"
    return f"  {hole['symbol']} {ids} after {utc(hole['from_ms'])}: {hole['cause']}"


def _span(bars: list[dict[str, Any]], kind: str) -> str:
    if not bars:
        return f"{kind} bars: none"
    return f"{kind} bars: {len(bars)}, opened {utc(bars[0]['open_time_ms'])} to {utc(bars[-1]['open_time_ms'])}"


def utc(time_ms: int) -> str:
    """A time of the venue to the millisecond, – for none."""
    if time_ms < 0:
        return "–"
    seconds, rest = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:03d}Z"


def decimal_text(raw: int, decimals: int) -> str:
    """A scaled integer as people write the number, with every decimal of its scale."""
    return f"{Decimal(raw).scaleb(-decimals):f}"


def _shortened(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>" if len(value) > _SHOWN_BYTES else value.hex()
    if isinstance(value, Mapping):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value]
    return value
