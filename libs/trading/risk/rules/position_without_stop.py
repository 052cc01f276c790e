"""A position that no stop covers. The executor has three seconds for it; then the guard places one itself."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs, Position, is_covered
from libs.trading.risk.rule import Rule, in_seconds, of_positions
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, position: Position, stale_ms: int) -> Decimal:
    position.quantity.read("its quantity", stale_ms)
    if is_covered(position, stale_ms):
        return Decimal(0)
    return in_seconds("since when it has no stop", position.bare_ms)


RULE = Rule("position_without_stop", "the time without a stop", "s", at("1", "3"), "place_stop", of_positions(_measure))
