"""Which health each symbol's feed was last reported with: turns observations into `FeedStatusChanged`, only on a change."""

from collections.abc import Iterable

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, FeedState, FeedStatusChanged


class FeedStatus:
    """One feed (`trades`, `liquidations`, …) of several symbols. Pure: the caller brings the venue's time."""

    def __init__(self, feed: str, symbols: Iterable[str]) -> None:
        self.feed = feed
        self._states: dict[str, FeedState | None] = dict.fromkeys(symbols)

    def state_of(self, symbol: str) -> FeedState | None:
        """The last reported state."""
        return self._states[symbol]

    def change(
        self, symbol: str, state: FeedState, at_ms: int, detail: str = "", last_event_ms: int = UNKNOWN_TIME
    ) -> FeedStatusChanged | None:
        """The event when `state` is new for the symbol, else None."""
        if self._states.get(symbol) == state:
            return None
        self._states[symbol] = state
        return FeedStatusChanged(
            event_id=digest("feed_status", self.feed, symbol, state, at_ms),
            event_time_ms=at_ms,
            feed=self.feed,
            symbol=symbol,
            state=state,
            detail=detail,
            last_event_time_ms=last_event_ms,
        )
