"""How far equity is below the day's peak, what was moved in or out left aside."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs, Unknown
from libs.trading.risk.rule import Rule, of_account
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, stale_ms: int) -> Decimal:
    account = inputs.account
    peak = account.peak_equity.read("the day's peak", stale_ms) + account.moved.read("what was moved today", stale_ms)
    equity = account.equity.read("equity", stale_ms)
    if peak <= 0:
        raise Unknown(f"the day's peak of {peak} is not above 0")
    return 100 * (peak - equity) / peak


RULE = Rule(
    "drawdown",
    "the drawdown from the day's peak",
    "%",
    at("5", "10"),
    "flatten_all",
    of_account(_measure),
    latches=True,
)
