"""Venue values to events, each fact once and in time order. Pure."""

from collections.abc import Iterable

import msgspec

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, IndicatorKind, MarketIndicatorObserved, RawValue
from libs.contracts.plausible import check
from libs.exchanges import IndicatorValue, Ticker
from libs.exchanges.mark_prices import number, percent
from libs.kit.errors import BadMessage

# A row of the venue has a dozen short fields; what goes far beyond is not worth an event that no reader takes.
MOST_RAW_BYTES = 4_000
Series = tuple[str, IndicatorKind, str | None]


def series_of(value: IndicatorValue | MarketIndicatorObserved) -> Series:
    """The series that a value belongs to."""
    return value.symbol, value.kind, value.period


def raw_payload(raw: bytes) -> dict[str, RawValue] | None:
    """The venue's JSON object field by field; None for one that cannot be kept (no object, too long, unstorable text): the
    numbers are what counts. Numbers with a point and nested parts become their JSON text."""
    if not raw or len(raw) > MOST_RAW_BYTES or b"\\u0000" in raw:
        return None
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return {name: _plain(bytes(field)) for name, field in fields.items()}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _plain(text: bytes) -> RawValue:
    found = msgspec.json.decode(text)
    if found is None or isinstance(found, str | bool) or (isinstance(found, int) and abs(found) < 2**63):
        return found
    return text.decode()


def indicator_event(
    value: IndicatorValue, source: str, available_ms: int, *, assumed: bool = False
) -> MarketIndicatorObserved:
    """The event of one value that could be known from `available_ms` on; its id is a digest of symbol, kind, period and instant.

    Raises `BadMessage` "bad_number", or "implausible" for what no reader of the topic would take.
    """
    event = MarketIndicatorObserved(
        event_id=digest("market_indicator", value.symbol, value.kind, value.period or "", value.time),
        event_time_ms=value.time,
        symbol=value.symbol,
        kind=value.kind,
        period=value.period,
        values={name: number(text, f"{value.symbol} {value.kind} {name}") for name, text in value.values.items()},
        source=source,
        available_ms=available_ms,
        availability_assumed=assumed,
        raw=raw_payload(value.raw),
    )
    check(event)
    return event


class Novelty:
    """The greatest live instant published of each series (symbol, kind, period): only what is newer passes, in time order.

    History goes by the ids that were found on the topic instead: it is published while newer values are there.
    """

    def __init__(self) -> None:
        self._greatest: dict[Series, int] = {}
        self._ids: set[str] = set()

    def remember(self, event: MarketIndicatorObserved) -> None:
        """An event that is on the topic already."""
        self._ids.add(event.event_id)
        self.remember_instant(series_of(event), event.event_time_ms)

    def remember_instant(self, series: Series, instant_ms: int) -> None:
        """Live values up to this instant are on the topic already."""
        self._greatest[series] = max(self.newest(series), instant_ms)

    def knows(self, event_id: str) -> bool:
        """Whether the event was found on the topic."""
        return event_id in self._ids

    def newest(self, series: Series) -> int:
        """The greatest known instant (ms), `UNKNOWN_TIME` when there is none."""
        return self._greatest.get(series, UNKNOWN_TIME)

    def select(self, values: Iterable[IndicatorValue]) -> list[IndicatorValue]:
        """The values that are newer than everything selected or remembered before."""
        fresh = []
        for value in sorted(values, key=lambda item: item.time):
            series = series_of(value)
            if value.time > self._greatest.get(series, UNKNOWN_TIME):
                self._greatest[series] = value.time
                fresh.append(value)
        return fresh


def premium_value(symbol: str, coinbase: Ticker, venue: Ticker, *, spot: bool, time: int) -> IndicatorValue:
    """(Coinbase USD price - venue USDT price) / venue price in percent; it contains the USDT/USD rate, and the basis too when
    `spot` is false. The times of both legs (their last trades, ms) stand beside it.

    Raises `BadMessage` when a price is no positive number, or the two are worlds apart.
    """
    ours, theirs = number(venue.price, venue.product), number(coinbase.price, coinbase.product)
    if ours <= 0 or theirs <= 0:
        raise BadMessage("bad_number", f"a price of {symbol}'s premium is not positive")
    legs = {"coinbase": raw_payload(coinbase.raw), "venue": raw_payload(venue.raw)}
    raw = {f"{leg}.{name}": field for leg, fields in legs.items() for name, field in (fields or {}).items()}
    return IndicatorValue(
        symbol=symbol,
        kind="coinbase_premium",
        period=None,
        time=time,
        values={
            "premium_percent": str(percent(theirs, ours, symbol)),
            "coinbase_price": coinbase.price,
            "venue_price": venue.price,
            "spot": "1" if spot else "0",
            "coinbase_time_ms": str(coinbase.time),
            "venue_time_ms": str(venue.time),
        },
        raw=msgspec.json.encode(raw) if raw else b"",
    )


def coinbase_product(base_asset: str) -> str:
    """Coinbase's USD product for a base asset; contracts of a thousand units (1000PEPE) name the asset itself."""
    return f"{base_asset.removeprefix('1000')}-USD"
