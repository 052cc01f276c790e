"""The day's result in quote units, open positions included: it holds where a position has no R."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Rule, of_account
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, stale_ms: int) -> Decimal:
    account = inputs.account
    realised = account.realised_today.read("today's realised result", stale_ms)
    return -(realised + account.unrealised.read("the unrealised result", stale_ms))


RULE = Rule(
    "daily_loss_usd", "today's loss", "USD", at("300", "600"), "flatten_all", of_account(_measure), latches=True
)
