"""Fills that are too far from the signal's price (0.01 %), since the last break, resume or reset."""

from libs.trading.risk.rule import Rule, of_figure
from libs.trading.risk.thresholds import at

RULE = Rule(
    "slippage",
    "the worst slippage",
    "bps",
    at("25", "75"),
    "block_entries",
    of_figure("the worst slippage", lambda account: account.worst_slippage_bps),
    latches=True,
)
