"""The signal engine says nothing any more: it owes an evaluation every 15 s, and its silence counts from then on."""

from libs.trading.risk.rule import Rule, in_seconds, of_account
from libs.trading.risk.thresholds import at

RULE = Rule(
    "engine_silent",
    "the silence of the signal engine",
    "s",
    at("5", "15"),
    "block_entries",
    of_account(lambda inputs, _: in_seconds("the signal engine's last word", inputs.services.engine_ms)),
)
