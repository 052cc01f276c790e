"""A market feed that is silent or not current: no signal may be made from it. It owes a report every 10 s."""

from libs.trading.risk.rule import Rule, in_seconds, of_feeds
from libs.trading.risk.thresholds import at

RULE = Rule(
    "data_freshness",
    "the silence",
    "s",
    at("10", "30"),
    "block_entries",
    of_feeds(lambda feed, _: in_seconds("its last message", feed.age_ms)),
)
