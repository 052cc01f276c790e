"""A scored signal as the engine says it, of which a test names only what it is about."""

from decimal import Decimal
from typing import Any

from libs.contracts.signals import SignalScored

HOUR_MS = 3_600_000


def emitted(event_id: str, symbol: str, price: Decimal, at_ms: int, sign: int = 1, **changes: Any) -> SignalScored:
    """Long (`sign` 1) or short (-1), 2 % to its stop, 3 % and 6 % to its targets, to be held for an hour."""
    given: dict[str, Any] = {
        "event_id": event_id,
        "event_time_ms": at_ms,
        "strategy": "v51",
        "version": 1,
        "symbol": symbol,
        "score": 80.0,
        "threshold": 70.0,
        "direction": "long" if sign > 0 else "short",
        "state": "emitted",
        "reason": None,
        "sentence": "",
        "price": price,
        "atr": None,
        "take_profit_1": price * (1 + sign * Decimal("0.03")),
        "take_profit_2": price * (1 + sign * Decimal("0.06")),
        "stop_loss": price * (1 - sign * Decimal("0.02")),
        "hold_until_ms": at_ms + HOUR_MS,
        "contributions": (),
        "inputs": {},
        "coverage": {},
    }
    return SignalScored(**(given | changes))
