"""Which forced orders become events: ours, linear, readable, and each only once. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from libs.contracts.identity import liquidation_id
from libs.contracts.market import LiquidationObserved
from libs.exchanges import ForcedOrder
from libs.kit.errors import BadMessage

REMEMBERED = 20_000


class LiquidationSelection:
    """Two connections deliver byte-identical copies, so the content is the key; the newest `REMEMBERED` ids are known."""

    def __init__(self, symbols: Iterable[str], known: Iterable[str] = ()) -> None:
        self._symbols = frozenset(symbols)
        self._seen: OrderedDict[str, None] = OrderedDict.fromkeys(known)
        self.duplicates = 0

    def select(self, order: ForcedOrder) -> LiquidationObserved | None:
        """The event, or None for a copy, a symbol that is not ours, or an inverse contract (its quantity is contracts).

        Raises `BadMessage` "bad_liquidation" when a number cannot be read or nothing was filled.
        """
        if order.product != "linear" or order.symbol not in self._symbols:
            return None
        event = _event_of(order)
        if event.event_id in self._seen:
            self.duplicates += 1
            return None
        self._seen[event.event_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return event


def _event_of(order: ForcedOrder) -> LiquidationObserved:
    try:
        quantity, average = Decimal(order.filled_quantity), Decimal(order.average_price)
        price, last = Decimal(order.price), Decimal(order.last_filled_quantity)
    except InvalidOperation:
        raise BadMessage("bad_liquidation", f"{order.symbol} at {order.trade_time}: not a number") from None
    if not all(number.is_finite() for number in (quantity, average, price, last)):
        raise BadMessage("bad_liquidation", f"{order.symbol} at {order.trade_time}: not finite")
    if quantity <= 0 or average <= 0:
        raise BadMessage("bad_liquidation", f"{order.symbol} at {order.trade_time}: nothing was filled")
    return LiquidationObserved(
        event_id=liquidation_id(order.symbol, order.side, order.trade_time, quantity, average),
        event_time_ms=order.trade_time,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        average_price=average,
        order_price=price,
        last_filled_quantity=last,
        trade_time_ms=order.trade_time,
        status=order.status,
    )
