"""The day's result in R, open positions included: what the backtester's guard looks at too."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Rule, of_account
from libs.trading.risk.rules.unrealised_loss import unrealised_r
from libs.trading.risk.thresholds import at


def _measure(inputs: GuardInputs, stale_ms: int) -> Decimal:
    realised = inputs.account.realised_today_r.read("today's realised result in R", stale_ms)
    return -(realised + unrealised_r(inputs, stale_ms))


RULE = Rule("daily_loss_r", "today's loss", "R", at("3", "6"), "flatten_all", of_account(_measure), latches=True)
