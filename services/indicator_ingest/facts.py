"""Venue values to events, each fact once and in time order, and mark prices thinned to one each two seconds. Pure."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import msgspec

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, IndicatorKind, MarketIndicatorObserved, MarkPriceObserved, RawValue
from libs.contracts.plausible import check
from libs.exchanges import IndicatorValue, MarkPrice, Ticker
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage

MARK_PRICE_MS = 2000
_PERCENT = Decimal(100)
_PERCENT_DIGITS = Decimal("0.00000001")
# A row of the venue has a dozen short fields; what goes far beyond is not worth an event that no reader takes.
MOST_RAW_BYTES = 4_000
Series = tuple[str, IndicatorKind, str | None]


def _number(text: str, what: str) -> Decimal:
    try:
        return finite_decimal(text)
    except BadMessage as error:
        raise BadMessage("bad_number", f"{what}: {error.detail}") from None


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
        values={name: _number(text, f"{value.symbol} {value.kind} {name}") for name, text in value.values.items()},
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


class MarkPriceSampler:
    """At most one mark price per symbol and two-second step of venue time: the first of each step."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}

    def remember(self, symbol: str, event_time: int) -> None:
        """A mark price that is on the topic already."""
        self._steps[symbol] = max(self._steps.get(symbol, -1), event_time // MARK_PRICE_MS)

    def select(self, mark: MarkPrice) -> MarkPriceObserved | None:
        """The event, or None when this step has one. Raises `BadMessage` "bad_number" or "implausible"."""
        step = mark.event_time // MARK_PRICE_MS
        if step <= self._steps.get(mark.symbol, -1):
            return None
        event = _mark_price_event(mark)
        self._steps[mark.symbol] = step
        return event


def _mark_price_event(mark: MarkPrice) -> MarkPriceObserved:
    def optional(text: str | None, what: str) -> Decimal | None:
        return None if text is None else _number(text, f"{mark.symbol} {what}")

    event = MarkPriceObserved(
        event_id=digest("mark_price", mark.symbol, mark.event_time),
        event_time_ms=mark.event_time,
        symbol=mark.symbol,
        mark_price=_number(mark.mark_price, f"{mark.symbol} mark price"),
        index_price=_number(mark.index_price, f"{mark.symbol} index price"),
        estimated_settle_price=optional(mark.estimated_settle_price, "settle price"),
        mark_price_average=optional(mark.mark_price_average, "mark price average"),
        funding_rate=optional(mark.funding_rate, "funding rate"),
        next_funding_time_ms=mark.next_funding_time,
        basis_percent=basis_percent(mark),
    )
    check(event)
    return event


def basis_percent(mark: MarkPrice) -> Decimal | None:
    """(mark price - index price) / index price × 100, to eight decimals; None where there is no index price to divide by.

    Raises `BadMessage` "bad_number" when a price is no number, or the two are worlds apart.
    """
    price, index = _number(mark.mark_price, "mark price"), _number(mark.index_price, "index price")
    return None if index <= 0 else _percent(price, index, mark.symbol)


def _percent(price: Decimal, base: Decimal, what: str) -> Decimal:
    try:
        return ((price - base) / base * _PERCENT).quantize(_PERCENT_DIGITS)
    except InvalidOperation:  # more digits than a decimal of ours carries
        raise BadMessage("bad_number", f"{what}: {price} over {base} is no percentage") from None


def premium_value(symbol: str, coinbase: Ticker, venue: Ticker, *, spot: bool, time: int) -> IndicatorValue:
    """(Coinbase USD price - venue USDT price) / venue price in percent; it contains the USDT/USD rate, and the basis too when
    `spot` is false. The times of both legs (their last trades, ms) stand beside it.

    Raises `BadMessage` when a price is no positive number, or the two are worlds apart.
    """
    ours, theirs = _number(venue.price, venue.product), _number(coinbase.price, coinbase.product)
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
            "premium_percent": str(_percent(theirs, ours, symbol)),
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
