"""Our clock against the venue's: with a wrong one the venue refuses orders, and ages mean nothing."""

from decimal import Decimal

from libs.trading.risk.inputs import GuardInputs
from libs.trading.risk.rule import Rule, of_account
from libs.trading.risk.thresholds import at

SKEW_STALE_MS = 300_000
"""It changes slowly and is asked for rarely, so that it may be older than other inputs."""


def _measure(inputs: GuardInputs, stale_ms: int) -> Decimal:
    return abs(inputs.services.clock_skew.read("our clock's skew", max(stale_ms, SKEW_STALE_MS)))


RULE = Rule("clock_skew", "our clock's skew", "ms", at("250", "1000"), "block_entries", of_account(_measure))
