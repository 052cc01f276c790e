"""What an order of ours is after a fact about it: a terminal state never goes back, and what is executed never shrinks.

One thing undoes an end: the venue's own word on an order that we had given up as never carried out.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from libs.contracts.trading import OrderStatus
from libs.trading.execution.document import FINAL_ORDERS, OurOrder
from libs.trading.execution.facts import (
    AlgoSeen,
    Answered,
    Canceled,
    CancelRefused,
    Dropped,
    ExecutionSeen,
    NeverSent,
    NotFound,
    Refused,
    Restarted,
    Sending,
    Unclear,
)

READ_DELAY_MS = 2_000
"""So old may be what a venue tells of positions and conditional orders, and so late may it find an order that it took."""
OVERDUE_MS = 3_000
"""The venue makes an order of a trigger within some 20 ms (reference facts, 7), and tells it at most 2 s late: a conditional
whose order has not ended after this protects nothing, and a position may be without a stop for 5 s."""
LEAST_QUESTIONS = 3
NOT_FOUND = "not_found"
"""The reason of an order that ended because the venue does not know it: our own conclusion, and no word of the venue's."""
NOT_CARRIED_OUT = frozenset(("retry", "clock", "limited", "listen_key"))
"""Refusals after which the same order may pass."""
TO_BE_ASKED = frozenset(("gone", "done"))
_RANK: dict[OrderStatus, int] = {"intended": 0, "submitting": 0, "unknown": 0, "new": 1, "partially_filled": 2}
_ALGO_ENDS: dict[str, OrderStatus] = {"canceled": "canceled", "expired": "expired", "rejected": "rejected"}
OrderFact = (
    Sending | NeverSent | Answered | Refused | Unclear | NotFound | Canceled | CancelRefused | Dropped | Restarted
)


def fold_order(order: OurOrder, fact: OrderFact) -> OurOrder:
    """The order after a fact about it."""
    return _FOLDS[type(fact)](order, fact)


def fold_fill(order: OurOrder, seen: ExecutionSeen) -> OurOrder:
    """The order after a fill of its own: a conditional that has one waits no longer, whatever an older read still says of it, and
    is followed by the number of the order that it became. A plain order says itself what it has filled."""
    if not order.is_conditional:
        return order
    after = _reached(order, "partially_filled", seen.time_ms, "")
    number = seen.order_id if order.order_id is None else order.order_id
    executed = max(order.executed, seen.quantity)
    return _changed(after, order_id=number, triggered_ms=order.triggered_ms or seen.time_ms, executed=executed)


def in_doubt(order: OurOrder) -> bool:
    """Whether it was sent, perhaps, and nothing says what became of it."""
    return order.status in ("submitting", "unknown")


def may_move(order: OurOrder) -> bool:
    """Whether an order at market may still change what is held. A close that is only meant, and certainly was not sent, cannot:
    in a break it is not sent at all, and a trade must not wait for it."""
    only_meant = order.status == "intended" and not order.valid_until_ms
    return not order.is_final and (order.leg == "entry" or (order.leg == "close" and not only_meant))


def is_followed(order: OurOrder) -> bool:
    """Whether a conditional was triggered and its order has not ended: nothing is protected anew before it has, or is overdue."""
    return bool(order.triggered_ms) and not order.is_final


def is_overdue(order: OurOrder, now_ms: int) -> bool:
    """Whether a followed one has been that for too long: it is asked for still, and what it was to do is done anew. Either only
    lessens the position, so that the two together close no more than one."""
    return is_followed(order) and now_ms - order.triggered_ms >= OVERDUE_MS


def is_given_up(order: OurOrder) -> bool:
    """Whether it ended without the venue ever having told it as an order, or by our own conclusion: it may prove us wrong."""
    return order.is_final and (order.venue_id is None or order.reason == NOT_FOUND)


def _changed(order: OurOrder, **changes: Any) -> OurOrder:
    return msgspec.structs.replace(order, **changes)


def _sending(order: OurOrder, fact: Sending) -> OurOrder:
    if order.is_final or fact.valid_until_ms <= order.valid_until_ms:
        return order
    return _changed(
        order,
        status="submitting",
        valid_until_ms=fact.valid_until_ms,
        attempts=order.attempts + 1,
        asked=0,
        updated_ms=fact.at_ms,
    )


def _never_sent(order: OurOrder, fact: NeverSent) -> OurOrder:
    if order.status != "submitting":
        return order
    return _changed(order, status="intended", valid_until_ms=0, updated_ms=fact.at_ms)


def _answered(order: OurOrder, fact: Answered) -> OurOrder:
    seen = fact.seen
    if isinstance(seen, AlgoSeen):
        return _algo(order, seen, fact.at_ms)
    number = {"order_id": seen.order_id} if order.is_conditional else {"venue_id": seen.order_id}
    triggered = order.triggered_ms or (fact.at_ms if order.is_conditional else 0)
    after = _reached(order, seen.status, fact.at_ms, seen.reason)
    return _changed(after, **number, triggered_ms=triggered, executed=max(order.executed, seen.executed))


def _algo(order: OurOrder, seen: AlgoSeen, at_ms: int) -> OurOrder:
    """A conditional that waits no longer is over only when the order that it became is: that one has the fills."""
    executed = max(order.executed, seen.executed or order.executed)
    order_id = seen.order_id if seen.order_id is not None else order.order_id
    triggered = order.triggered_ms
    if seen.status == "waiting":
        after = _reached(order, "new", at_ms, "")
    elif seen.status == "triggered" or order_id is not None:
        triggered = triggered or at_ms
        after = _reached(order, "partially_filled" if executed else "new", at_ms, seen.reason)
    else:
        after = _reached(order, _ALGO_ENDS.get(seen.status, "expired"), at_ms, seen.reason)
    return _changed(after, venue_id=seen.algo_id, order_id=order_id, executed=executed, triggered_ms=triggered)


def _reached(order: OurOrder, status: OrderStatus, at_ms: int, reason: str) -> OurOrder:
    """A status that the venue told; an older one than is known changes nothing."""
    said = {"asked": 0, "updated_ms": max(order.updated_ms, at_ms)}
    if order.is_final and not is_given_up(order):
        return order
    if status in FINAL_ORDERS:
        return _changed(order, status=status, reason=reason or None, **said)
    if status == "unknown":
        return _changed(order, status="unknown" if order.status == "submitting" else order.status, **said)
    if _RANK.get(order.status, 0) > _RANK[status]:
        return _changed(order, **said)
    return _changed(order, status=status, reason=reason or None, **said)


def _refused(order: OurOrder, fact: Refused) -> OurOrder:
    """An answer to what we sent; an order that stands already was sent by somebody else, or twice."""
    if order.is_final or order.status in ("new", "partially_filled"):
        return order
    reason = fact.verdict if fact.code is None else f"{fact.verdict} {fact.code}"
    if fact.verdict in NOT_CARRIED_OUT:
        return _changed(order, status="intended", valid_until_ms=0, reason=reason, updated_ms=fact.at_ms)
    if fact.verdict in TO_BE_ASKED or (fact.verdict == "duplicate" and not is_second_stop(fact)):
        return _changed(order, status="unknown", asked=0, reason=reason, updated_ms=fact.at_ms)
    return _changed(order, status="rejected", reason=reason, updated_ms=fact.at_ms)


def is_second_stop(fact: Refused) -> bool:
    """Whether another order closes the position already (-4130; reference facts, 13): ours was not taken."""
    return fact.verdict == "duplicate" and fact.code == -4130


def _unclear(order: OurOrder, fact: Unclear) -> OurOrder:
    if order.is_final or order.status == "unknown":
        return order
    if order.status == "intended":  # Nothing of it was sent, so that a list may well not have it.
        return order
    return _changed(order, status="unknown", asked=0, updated_ms=fact.at_ms)


def _not_found(order: OurOrder, fact: NotFound) -> OurOrder:
    """Final once the venue would refuse the request by its age, it was asked often enough, and what it tells is new enough
    (reference facts, 9). An entry that was never known there is then as if never sent; anything else is over."""
    if order.is_final or order.status == "intended":
        return order
    asked = order.asked + 1
    is_surely_gone = asked >= LEAST_QUESTIONS and fact.at_ms > order.valid_until_ms + READ_DELAY_MS
    if not is_surely_gone:
        status: OrderStatus = order.status if order.triggered_ms else "unknown"
        return _changed(order, status=status, asked=asked, updated_ms=fact.at_ms)
    if order.leg == "entry" and order.venue_id is None:
        return _changed(
            order, status="intended", valid_until_ms=0, asked=asked, reason=NOT_FOUND, updated_ms=fact.at_ms
        )
    return _changed(order, status="expired", asked=asked, reason=NOT_FOUND, updated_ms=fact.at_ms)


def _canceled(order: OurOrder, fact: Canceled) -> OurOrder:
    if order.is_final:
        return order
    if order.triggered_ms and not _became_nothing(order, fact.at_ms):
        return _changed(order, asked=0, updated_ms=fact.at_ms)
    return _changed(order, status="canceled", updated_ms=fact.at_ms)


def _cancel_refused(order: OurOrder, fact: CancelRefused) -> OurOrder:
    """One whose trigger came to nothing that can be cancelled is over, until the venue proves us wrong."""
    if order.is_final or order.status == "intended":
        return order
    if fact.verdict in TO_BE_ASKED and _became_nothing(order, fact.at_ms):
        return _changed(order, status="expired", reason=NOT_FOUND, updated_ms=fact.at_ms)
    return _changed(order, status="unknown", asked=0, updated_ms=fact.at_ms)


def _became_nothing(order: OurOrder, at_ms: int) -> bool:
    return order.order_id is None and is_overdue(order, at_ms)


def _dropped(order: OurOrder, fact: Dropped) -> OurOrder:
    if order.status != "intended":
        return order
    return _changed(order, status="rejected", reason=fact.reason, updated_ms=fact.at_ms)


def _restarted(order: OurOrder, fact: Restarted) -> OurOrder:
    if order.status != "submitting":
        return order
    return _changed(order, status="unknown", asked=0, updated_ms=fact.at_ms)


_FOLDS: dict[type, Callable[[OurOrder, Any], OurOrder]] = {
    Sending: _sending,
    NeverSent: _never_sent,
    Answered: _answered,
    Refused: _refused,
    Unclear: _unclear,
    NotFound: _not_found,
    Canceled: _canceled,
    CancelRefused: _cancel_refused,
    Dropped: _dropped,
    Restarted: _restarted,
}
