"""Trades in the situations that their decisions are tried in."""

from decimal import Decimal

from libs.trading.execution.decision import Move, Permits, Place, next_moves
from libs.trading.execution.document import OurOrder
from libs.trading.execution.facts import (
    OrderSeen,
)
from tests.libs.trading.execution.carrier import PRICE, Carrier, a_trade
from tests.libs.trading.execution.model_venue import ModelVenue

BLOCKED = Permits(entries=False, why_not="risk_blocked")
ONLY_STOPS = Permits(entries=False, only_stops=True, why_not="risk_blocked")


def begun(risk: str = "0.1", *, kind: str = "limit", trailing: Decimal | None = None) -> Carrier:
    return Carrier(ModelVenue(PRICE), a_trade("long", Decimal(risk), kind, trailing))  # type: ignore[arg-type]


def held(risk: str = "0.1", *, kind: str = "limit", trailing: Decimal | None = None) -> Carrier:
    """Entered, and all its exits stand."""
    carrier = begun(risk, kind=kind, trailing=trailing)
    carrier.settle()
    carrier.done.clear()
    return carrier


def stop_alone() -> Carrier:
    """Entered, and nothing asked for yet."""
    carrier = begun()
    carrier.step()
    carrier.done.clear()
    return carrier


def moves(carrier: Carrier) -> tuple[Move, ...]:
    return next_moves(carrier.trade, carrier.venue.now_ms, carrier.permits)


def placed(found: tuple[Move, ...]) -> list[str]:
    return [move.order.leg for move in found if isinstance(move, Place)]


def standing(carrier: Carrier, leg: str) -> list[OurOrder]:
    return [one.order for one in carrier.venue.orders.values() if one.is_open and one.order.leg == leg]


def standing_id(carrier: Carrier, leg: str) -> str:
    return next(order.client_id for order in carrier.trade.orders if order.leg == leg)


def seen_as(order: OurOrder, status: str) -> OrderSeen:
    return OrderSeen(order.client_id, 99, order.side, status, order.quantity or Decimal(0), Decimal(0))  # type: ignore[arg-type]
