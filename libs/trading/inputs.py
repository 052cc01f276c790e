"""The slow inputs that factors know by name, which feed brings each, and what one reading of them is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

InputName = Literal[
    "open_interest_change_percent",
    "global_long_short_account_ratio",
    "coinbase_premium",
    "estimated_funding_rate",
    "mark_price",
    "index_price",
    "long_liquidations",
    "short_liquidations",
]
TRADE_FEED, LIQUIDATION_FEED = "trades", "liquidations"
FEED_OF_INPUT: Mapping[InputName, str] = {
    "open_interest_change_percent": "open_interest",
    "global_long_short_account_ratio": "global_long_short_account_ratio",
    "coinbase_premium": "coinbase_premium",
    "estimated_funding_rate": "mark_price",
    "mark_price": "mark_price",
    "index_price": "mark_price",
    "long_liquidations": LIQUIDATION_FEED,
    "short_liquidations": LIQUIDATION_FEED,
}
"""Which feed brings an input, by the names of `FeedStatusChanged.feed`."""


class Reading(Protocol):
    """A slow input as the log had it: its value and the instant it describes (ms)."""

    @property
    def value(self) -> Decimal: ...

    @property
    def as_of_ms(self) -> int: ...


class FeedReading(Protocol):
    """The state of a feed at an evaluation and since when it is so (ms)."""

    @property
    def state(self) -> str: ...

    @property
    def as_of_ms(self) -> int: ...

    @property
    def live(self) -> bool: ...
