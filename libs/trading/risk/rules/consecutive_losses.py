"""Trades lost one after the other, since the last break, resume or reset."""

from libs.trading.risk.rule import Rule, of_figure
from libs.trading.risk.thresholds import at

RULE = Rule(
    "consecutive_losses",
    "the number of losses in a row",
    "trades",
    at("4", "6"),
    "block_entries",
    of_figure("the count of losses", lambda account: account.losses_in_a_row),
    latches=True,
)
