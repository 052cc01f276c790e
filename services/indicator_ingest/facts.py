"""Venue values to events, each fact once and in time order, and mark prices thinned to one each two seconds. Pure."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.plausible import check
from libs.exchanges import IndicatorValue, MarkPrice, Ticker
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage

MARK_PRICE_MS = 2000
_PERCENT = Decimal(100)
_PREMIUM_DIGITS = Decimal("0.00000001")
Series = tuple[str, str, str | None]


def _number(text: str, what: str) -> Decimal:
    try:
        return finite_decimal(text)
    except BadMessage as error:
        raise BadMessage("bad_number", f"{what}: {error.detail}") from None


def indicator_event(value: IndicatorValue, source: str) -> MarketIndicatorObserved:
    """The event of one value; its id is a digest of symbol, kind, period and instant.

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
    )
    check(event)
    return event


class Novelty:
    """The greatest instant published of each series (symbol, kind, period): only what is newer passes, in time order."""

    def __init__(self) -> None:
        self._greatest: dict[Series, int] = {}

    def remember(self, event: MarketIndicatorObserved) -> None:
        """An event that is on the topic already."""
        series = (event.symbol, event.kind, event.period)
        self._greatest[series] = max(self._greatest.get(series, UNKNOWN_TIME), event.event_time_ms)

    def newest(self, series: Series) -> int:
        """The greatest known instant (ms), `UNKNOWN_TIME` when there is none."""
        return self._greatest.get(series, UNKNOWN_TIME)

    def select(self, values: Iterable[IndicatorValue]) -> list[IndicatorValue]:
        """The values that are newer than everything selected or remembered before."""
        fresh = []
        for value in sorted(values, key=lambda item: item.time):
            series = (value.symbol, value.kind, value.period)
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
    )
    check(event)
    return event


def premium_value(symbol: str, coinbase: Ticker, venue: Ticker, *, spot: bool, time: int) -> IndicatorValue:
    """(Coinbase USD price - venue USDT price) / venue price in percent; it contains the USDT/USD rate, and the basis too when
    `spot` is false. Raises `BadMessage` when a price is no positive number, or the two are worlds apart."""
    ours, theirs = _number(venue.price, venue.product), _number(coinbase.price, coinbase.product)
    if ours <= 0 or theirs <= 0:
        raise BadMessage("bad_number", f"a price of {symbol}'s premium is not positive")
    try:
        premium = ((theirs - ours) / ours * _PERCENT).quantize(_PREMIUM_DIGITS)
    except InvalidOperation:  # more digits than a decimal of ours carries
        raise BadMessage("bad_number", f"{symbol}: no premium of {theirs} over {ours}") from None
    return IndicatorValue(
        symbol=symbol,
        kind="coinbase_premium",
        period=None,
        time=time,
        values={
            "premium_percent": str(premium),
            "coinbase_price": coinbase.price,
            "venue_price": venue.price,
            "spot": "1" if spot else "0",
        },
    )


def coinbase_product(base_asset: str) -> str:
    """Coinbase's USD product for a base asset; contracts of a thousand units (1000PEPE) name the asset itself."""
    return f"{base_asset.removeprefix('1000')}-USD"


def next_due(now_ms: int, every_ms: int, offset_ms: int) -> int:
    """The next instant after `now_ms` that lies `offset_ms` behind a multiple of `every_ms`."""
    return ((now_ms - offset_ms) // every_ms + 1) * every_ms + offset_ms
