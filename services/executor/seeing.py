"""Which of a trade's orders the venue means by a number. Pure."""

from libs.trading.execution.document import OurOrder, Trade


def order_numbers(trade: Trade) -> dict[int, OurOrder]:
    """The trade's orders by the venue's numbers of orders; a conditional by that of the order which it became."""
    found = {one.order_id: one for one in trade.orders if one.order_id is not None}
    return found | {one.venue_id: one for one in trade.orders if one.venue_id is not None and not one.is_conditional}
