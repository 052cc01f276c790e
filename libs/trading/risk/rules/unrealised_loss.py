"""What all open positions lose together, in R."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Rule, of_account
from libs.trading.risk.thresholds import at


def unrealised_r(inputs: GuardInputs, stale_ms: int) -> Decimal:
    """The sum over positions (R). Raises `Unknown` where one of them, or the list, is not known or older than `stale_ms`.

    One that is new, and of which nothing is known yet, counts as 0.
    """
    results = [
        one.unrealised_r.read(f"the result of {one.symbol} {one.side} in R", stale_ms)
        for one in inputs.open_positions(stale_ms)
        if one.unrealised_r.value is not None or not one.is_new
    ]
    return sum(results, Decimal(0))


def _measure(inputs: GuardInputs, stale_ms: int) -> Decimal:
    return -unrealised_r(inputs, stale_ms)


RULE = Rule("unrealised_loss", "the open loss", "R", at("3", "5"), "flatten_all", of_account(_measure), latches=True)
