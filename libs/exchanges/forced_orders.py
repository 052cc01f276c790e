"""Which forced orders become events: ours, linear, readable, and each only once. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from libs.contracts.identity import liquidation_id
from libs.contracts.market import LiquidationObserved
from libs.contracts.plausible import check
from libs.exchanges import ForcedOrder
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage

REMEMBERED = 20_000
LONGEST_STATUS = 40


class LiquidationSelection:
    """Two connections deliver byte-identical copies, so the content is the key; the newest `REMEMBERED` ids are known."""

    def __init__(self, symbols: Iterable[str], known: Iterable[str] = ()) -> None:
        self._symbols = set(symbols)
        self._seen: OrderedDict[str, None] = OrderedDict.fromkeys(known)
        self.duplicates = 0

    def add(self, symbol: str) -> None:
        """The symbol is ours from now on."""
        self._symbols.add(symbol)

    def remove(self, symbol: str) -> None:
        """The symbol is not ours any more; what is known of it stays known."""
        self._symbols.discard(symbol)

    def select(self, order: ForcedOrder) -> LiquidationObserved | None:
        """The event, or None for a copy, a symbol that is not ours, or an inverse contract (its quantity is contracts).

        Raises `BadMessage` "bad_liquidation" when a number cannot be read or nothing was filled, "implausible" for what no
        reader of the topic takes.
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
        quantity, average = finite_decimal(order.filled_quantity), finite_decimal(order.average_price)
        price, last = finite_decimal(order.price), finite_decimal(order.last_filled_quantity)
    except BadMessage as error:
        raise BadMessage("bad_liquidation", f"{order.symbol} at {order.trade_time}: {error.detail}") from None
    if len(order.status) > LONGEST_STATUS:
        raise BadMessage(
            "bad_liquidation", f"{order.symbol} at {order.trade_time}: a status of {len(order.status)} characters"
        )
    if quantity <= 0 or average <= 0:
        raise BadMessage("bad_liquidation", f"{order.symbol} at {order.trade_time}: nothing was filled")
    event = LiquidationObserved(
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
    check(event)
    return event
