"""A market feed of which trades are missing, as a share of what the venue has numbered."""

from decimal import Decimal

from libs.trading.risk.inputs import Feed, Unknown
from libs.trading.risk.rule import Rule, of_feeds
from libs.trading.risk.thresholds import at


def _measure(feed: Feed, stale_ms: int) -> Decimal:
    share = feed.complete.read("its completeness", stale_ms)
    if not 0 <= share <= 1:
        raise Unknown(f"a completeness of {share} is no share")
    return 100 * share


RULE = Rule(
    "data_completeness",
    "the complete share",
    "%",
    at("99.9", "99"),
    "block_entries",
    of_feeds(_measure),
    is_floor=True,
)
