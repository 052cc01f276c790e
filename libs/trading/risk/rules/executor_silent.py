"""The executor says nothing any more, so that nobody follows what it has opened."""

from libs.trading.risk.rule import Rule, in_seconds, of_account
from libs.trading.risk.thresholds import at

RULE = Rule(
    "executor_silent",
    "the silence of the executor",
    "s",
    at("5", "15"),
    "block_entries",
    of_account(lambda inputs, _: in_seconds("the executor's last word", inputs.services.executor_ms)),
)
