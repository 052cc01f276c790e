"""The last price against the mark: where they part, neither stops nor results mean what they say."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs, Position, Unknown
from libs.trading.risk.rule import Rule, of_positions
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, position: Position, stale_ms: int) -> Decimal:
    mark = position.mark_price.read("the mark price", stale_ms)
    last = position.last_price.read("the last price", stale_ms)
    if mark <= 0 or last <= 0:
        raise Unknown(f"prices of {mark} and {last} are none")
    return 100 * abs(last - mark) / mark


RULE = Rule(
    "price_gap", "the gap between last and mark price", "%", at("0.5", "1"), "block_entries", of_positions(_measure)
)
