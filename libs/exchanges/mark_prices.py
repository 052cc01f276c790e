"""Mark prices of a venue's stream to events, thinned to one each two seconds of venue time. Pure."""

from decimal import Decimal, InvalidOperation

from libs.contracts.identity import digest
from libs.contracts.market import MarkPriceObserved
from libs.contracts.plausible import check
from libs.exchanges import MarkPrice
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage

MARK_PRICE_MS = 2000
_PERCENT = Decimal(100)
_PERCENT_DIGITS = Decimal("0.00000001")


def number(text: str, what: str) -> Decimal:
    """A venue's number; `what` names it. Raises `BadMessage` "bad_number"."""
    try:
        return finite_decimal(text)
    except BadMessage as error:
        raise BadMessage("bad_number", f"{what}: {error.detail}") from None


class MarkPriceSampler:
    """At most one mark price per symbol and two-second step of venue time: the first of each step, with the lowest and highest of
    all that were told since the one before."""

    def __init__(self) -> None:
        self._newest_ms: dict[str, int] = {}
        self._extremes: dict[str, tuple[Decimal, Decimal]] = {}

    def remember(self, symbol: str, event_time: int) -> None:
        """A mark price that is on the topic already."""
        self._newest_ms[symbol] = max(self._newest_ms.get(symbol, -1), event_time)

    def select(self, mark: MarkPrice) -> MarkPriceObserved | None:
        """The event, or None when this step has one. Raises `BadMessage` "bad_number" or "implausible"."""
        newest_ms = self._newest_ms.get(mark.symbol, -1)
        if mark.event_time <= newest_ms:
            return None
        price = number(mark.mark_price, f"{mark.symbol} mark price")
        # Gone also when no event comes of them: an absurd one must not spoil every later step.
        known = self._extremes.pop(mark.symbol, None)
        if price > 0:  # A symbol that has no mark price yet is told one of 0, which is nobody's lowest.
            lowest, highest = known or (price, price)
            known = min(lowest, price), max(highest, price)
        if mark.event_time // MARK_PRICE_MS <= newest_ms // MARK_PRICE_MS:
            if known is not None:
                self._extremes[mark.symbol] = known
            return None
        event = _mark_price_event(mark, known or (price, price))
        self._newest_ms[mark.symbol] = mark.event_time
        return event


def _mark_price_event(mark: MarkPrice, extremes: tuple[Decimal, Decimal]) -> MarkPriceObserved:
    def optional(text: str | None, what: str) -> Decimal | None:
        return None if text is None else number(text, f"{mark.symbol} {what}")

    event = MarkPriceObserved(
        event_id=digest("mark_price", mark.symbol, mark.event_time),
        event_time_ms=mark.event_time,
        symbol=mark.symbol,
        mark_price=number(mark.mark_price, f"{mark.symbol} mark price"),
        index_price=number(mark.index_price, f"{mark.symbol} index price"),
        estimated_settle_price=optional(mark.estimated_settle_price, "settle price"),
        mark_price_average=optional(mark.mark_price_average, "mark price average"),
        funding_rate=optional(mark.funding_rate, "funding rate"),
        next_funding_time_ms=mark.next_funding_time,
        basis_percent=basis_percent(mark),
        lowest_mark_price=extremes[0],
        highest_mark_price=extremes[1],
    )
    check(event)
    return event


def basis_percent(mark: MarkPrice) -> Decimal | None:
    """(mark price - index price) / index price × 100, to eight decimals; None where there is no index price to divide by.

    Raises `BadMessage` "bad_number" when a price is no number, or the two are worlds apart.
    """
    price, index = number(mark.mark_price, "mark price"), number(mark.index_price, "index price")
    return None if index <= 0 else percent(price, index, mark.symbol)


def percent(price: Decimal, base: Decimal, what: str) -> Decimal:
    """(price - base) / base × 100, to eight decimals. Raises `BadMessage` "bad_number" when the two are worlds apart."""
    try:
        return ((price - base) / base * _PERCENT).quantize(_PERCENT_DIGITS)
    except InvalidOperation:  # more digits than a decimal of ours carries
        raise BadMessage("bad_number", f"{what}: {price} over {base} is no percentage") from None
