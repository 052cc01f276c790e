"""Liquidations, slow inputs, mark prices and settled rates of exported files, as a run takes them."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, get_args

from libs.contracts.event import Event
from libs.contracts.identity import rate_id
from libs.contracts.market import IndicatorKind, LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.plausible import check
from libs.contracts.timeline import PlacedEvent
from libs.kit.errors import BadMessage
from libs.store.exported import EXTREMES, FUNDING, INDICATORS, LIQUIDATIONS, MARK_PRICES
from services.backtester.sources import Settlement
from services.backtester.sources.assumed import known_from, liquidations_received
from services.backtester.sources.exported_files import (
    Row,
    columns_of,
    has_columns,
    made,
    number,
    read_rows,
    start_of,
)
from services.backtester.sources.unreadable import shown

_INDICATORS = columns_of(INDICATORS, ("event_id", "kind", "period", "event_time", "values", "source", "available_at"))
_ESTIMATES = ("estimated_settle_price", "mark_price_average", "funding_rate")
_FORMER_PRICES = ("event_time", "mark_price", "index_price", *_ESTIMATES, "next_funding_time")
_MARK_PRICES = columns_of(MARK_PRICES, (*_FORMER_PRICES, *EXTREMES))
_AS_THEY_STAND = (
    *("event_id", "side", "quantity", "average_price"),
    *("order_price", "last_filled_quantity", "status"),
)
_LIQUIDATIONS = columns_of(LIQUIDATIONS, ("trade_time", "event_time", *_AS_THEY_STAND))
_FUNDING = columns_of(FUNDING, ("funding_time", "funding_rate"))
_KINDS = frozenset(get_args(IndicatorKind))
_SIDES = frozenset(("BUY", "SELL"))


def indicators(path: Path, symbol: str) -> list[PlacedEvent]:
    """The slow inputs of a day, each from when on it could be known. Raises `UnreadableFile`, as all of these do."""
    return made(path, enumerate(read_rows(path, _INDICATORS)), partial(_indicator, symbol))


def mark_prices(path: Path, symbol: str) -> list[PlacedEvent]:
    """The mark prices of a day."""
    told = has_columns(path, EXTREMES)
    wanted = _MARK_PRICES if told else columns_of(MARK_PRICES, _FORMER_PRICES)
    return made(path, enumerate(read_rows(path, wanted)), partial(_mark_price, symbol))


def liquidations(path: Path, symbol: str) -> list[PlacedEvent]:
    """The forced orders of a day, behind the state of their feed, which is taken as received throughout."""
    start_ms = start_of(path)
    received = liquidations_received(symbol, start_ms, "the day has a file of liquidations")
    orders = made(path, enumerate(read_rows(path, _LIQUIDATIONS)), partial(_liquidation, symbol))
    return [PlacedEvent(known_from(start_ms), received), *orders]


def imported_rates(path: Path) -> list[Settlement]:
    """The settled rates of a day that were imported: they know no mark price."""
    return made(path, enumerate(read_rows(path, _FUNDING)), _imported)


def observed_rates(path: Path) -> list[Settlement]:
    """The settled rates among the slow inputs of a day."""
    rows = enumerate(read_rows(path, _INDICATORS))
    return made(path, ((place, row) for place, row in rows if row["kind"] == "funding_rate"), _observed)


def _indicator(symbol: str, row: Row) -> PlacedEvent:
    known_ms = row["event_time"] if row["available_at"] is None else row["available_at"]
    event = MarketIndicatorObserved(
        event_id=row["event_id"],
        event_time_ms=row["event_time"],
        symbol=symbol,
        kind=_one_of(_KINDS, "kind", row),
        period=row["period"],
        values=dict(_values(row)),
        source=row["source"],
    )
    return _placed(known_ms, event)


def _values(row: Row) -> Iterator[tuple[str, Decimal]]:
    for key, text in row["values"]:
        yield key, number(f"{shown(key)} of values", text)


def _mark_price(symbol: str, row: Row) -> PlacedEvent:
    event = MarkPriceObserved(
        event_id=rate_id(symbol, row["event_time"]),
        event_time_ms=row["event_time"],
        symbol=symbol,
        next_funding_time_ms=row["next_funding_time"],
        mark_price=number("mark_price", row["mark_price"]),
        index_price=number("index_price", row["index_price"]),
        **{name: None if row[name] is None else number(name, row[name]) for name in _ESTIMATES},
        **{name: number(name, row[name]) for name in EXTREMES if row.get(name) is not None},
    )
    return _placed(event.event_time_ms, event)


def _liquidation(symbol: str, row: Row) -> PlacedEvent:
    _one_of(_SIDES, "side", row)
    event = LiquidationObserved(
        event_time_ms=row["event_time"],
        symbol=symbol,
        trade_time_ms=row["trade_time"],
        **{name: row[name] for name in _AS_THEY_STAND},
    )
    return _placed(event.event_time_ms, event)


def _imported(row: Row) -> Settlement:
    return Settlement(row["funding_time"], number("funding_rate", row["funding_rate"]), None)


def _observed(row: Row) -> Settlement:
    values = dict(row["values"])
    rate = number("'funding_rate' of values", values.get("funding_rate"))
    mark = values.get("mark_price")
    return Settlement(row["event_time"], rate, None if mark is None else number("'mark_price' of values", mark))


def _one_of(known: frozenset[str], name: str, row: Row) -> Any:
    if row[name] not in known:
        raise BadMessage("unknown", f"{name} is {shown(row[name])}, and none of {', '.join(sorted(known))}")
    return row[name]


def _placed(known_ms: int, event: Event) -> PlacedEvent:
    """Raises `BadMessage` for what no topic would carry either."""
    check(event)
    return PlacedEvent(known_from(known_ms), event)
