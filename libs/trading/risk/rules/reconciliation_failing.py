"""Ours and the venue's picture of the account have not agreed for too long: every 10 s they should."""

from libs.trading.risk.rule import Rule, in_seconds, of_account
from libs.trading.risk.thresholds import at

RULE = Rule(
    "reconciliation_failing",
    "the time since the last clean reconciliation",
    "s",
    at("30", "60"),
    "block_entries",
    of_account(lambda inputs, _: in_seconds("the last clean reconciliation", inputs.services.reconciled_ms)),
)
