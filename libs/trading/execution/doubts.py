"""What is not known of a trade's orders, and when the venue is to be asked for it."""

from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.folds_orders import OVERDUE_MS, READ_DELAY_MS, in_doubt
from libs.trading.execution.moves import Ask, Fetch, Move, due
from libs.trading.execution.sums import Holding

QUESTION_DELAYS_MS = (100, 300, 700, 1_500)
"""After an unclear outcome, and after each "not found": the user stream may tell it first, and the venue needs a moment."""
FOLLOW_MS = 400
"""An order at market that says it is not filled yet, or one that a trigger has made, is looked at again after this."""
FILLS_MS = 500
DOUBT_MS = 1_000
"""So long may it be unknown whether a stop stands before another is sent: two of them close no more than one."""


MOST_QUESTIONS = 5
"""So many orders are asked for at once, those first of which nothing was heard for the longest time: in a long trouble there may
be hundreds in doubt, and a question for each would leave nothing of the request budget for what protects."""


def questions(trade: Trade, holding: Holding, now_ms: int) -> list[Move]:
    """What to ask for now: orders in doubt until it is final what became of them, triggered ones by the order that they became,
    orders at market that have not ended, and fills that the venue has counted and not listed."""
    moves: list[Move] = []
    asked = [(order, at_ms) for order in trade.orders if (at_ms := _question_ms(order)) is not None]
    late = sorted((one for one in asked if one[1] <= now_ms), key=lambda one: one[0].updated_ms)
    for order, at_ms in (*late[:MOST_QUESTIONS], *(one for one in asked if one[1] > now_ms)):
        due(moves, Ask(order), at_ms, now_ms)
    if holding.missing > 0:
        due(moves, Fetch("fills"), _fills_due(trade), now_ms)
    return moves


def may_not_stand(order: OurOrder, now_ms: int) -> bool:
    """Whether a closing stop has been in doubt for so long, or not found so often, that another is sent: the venue refuses a
    second one where the first stands (-4130), and both together close no more than one."""
    return in_doubt(order) and (order.asked > 0 or now_ms - order.updated_ms >= DOUBT_MS)


def _question_ms(order: OurOrder) -> int | None:
    if order.is_final or order.status == "intended":
        return None
    if order.status == "unknown" or (order.triggered_ms and order.asked):
        return order.updated_ms + QUESTION_DELAYS_MS[min(order.asked, len(QUESTION_DELAYS_MS) - 1)]
    if order.status == "submitting":  # Its sender would have said by then what came of it.
        return order.valid_until_ms + READ_DELAY_MS
    is_at_market = order.price is None and not order.is_conditional
    if order.triggered_ms and order.updated_ms - order.triggered_ms >= OVERDUE_MS:
        return order.updated_ms + OVERDUE_MS
    return order.updated_ms + FOLLOW_MS if order.triggered_ms or is_at_market else None


def _fills_due(trade: Trade) -> int:
    told = max((order.updated_ms for order in trade.orders if order.executed > 0), default=0)
    return max(told, trade.fills_read_ms + FILLS_MS if trade.fills_read_ms >= told else told)
