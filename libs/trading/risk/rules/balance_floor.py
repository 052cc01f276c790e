"""A balance that is too small to go on with. The shipped floor is low: set it to what the account may not fall below."""

from libs.trading.risk.rule import Rule, of_figure
from libs.trading.risk.thresholds import at

RULE = Rule(
    "balance_floor",
    "the balance",
    "USD",
    at("200", "100"),
    "flatten_all",
    of_figure("the balance", lambda account: account.balance),
    latches=True,
    is_floor=True,
)
