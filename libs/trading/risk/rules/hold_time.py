"""A position that is held too long. The executor closes it after 70 minutes; a minute later the guard does."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs, Position, checked
from libs.trading.risk.rule import Rule, in_seconds, of_positions
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, position: Position, stale_ms: int) -> Decimal:
    opened_ms = checked("the time of its entry", position.opened_ms)
    return in_seconds("the time of its entry", inputs.now_ms - int(opened_ms)) / 60


RULE = Rule("hold_time", "the hold", "min", at("70", "71"), "close_position", of_positions(_measure))
