"""More orders than ten positions with their exits need in a minute: something sends in a circle."""

from libs.trading.risk.rule import Rule, of_figure
from libs.trading.risk.thresholds import at

RULE = Rule(
    "too_many_orders",
    "the number of orders in the last minute",
    "orders",
    at("60", "120"),
    "block_entries",
    of_figure("the count of orders", lambda account: account.orders_last_minute),
    latches=True,
)
