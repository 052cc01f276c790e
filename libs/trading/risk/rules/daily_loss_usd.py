"""The day's result in quote units, open positions included: it holds where a position has no R."""

from dataclasses import replace
from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Measured, Rule, of_account
from libs.trading.risk.thresholds import at


def _loss(inputs: GuardInputs, stale_ms: int) -> Decimal:
    account = inputs.account
    realised = account.realised_today.read("today's realised result", stale_ms)
    return -(realised + account.unrealised.read("the unrealised result", stale_ms))


def _measure(inputs: GuardInputs, stale_ms: int) -> tuple[Measured, ...]:
    """What is known of the loss, also where a part of it is not: a measured loss flattens whatever else is unknown."""
    [known] = of_account(_loss)(inputs, stale_ms)
    return (known if known.value is None else replace(known, why=inputs.account.realised_today.lacks),)


RULE = Rule("daily_loss_usd", "today's loss", "USD", at("300", "600"), "flatten_all", _measure, latches=True)
