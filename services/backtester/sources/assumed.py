"""What a source that kept no places has to assume: from when on something was known, and that a feed was received."""

from libs.contracts.market import FeedStatusChanged
from libs.contracts.timeline import KNOWN_BEFORE_MS


def known_from(time_ms: int) -> int:
    """The place of what could be known from `time_ms` on."""
    return max(-1, time_ms - KNOWN_BEFORE_MS)


def liquidations_received(symbol: str, from_ms: int, why: str) -> FeedStatusChanged:
    """The state that lets a window without liquidations count as calm; `why` that is believed."""
    return FeedStatusChanged(
        event_id=f"assumed:liquidations:{symbol}:{from_ms}",
        event_time_ms=from_ms,
        feed="liquidations",
        symbol=symbol,
        state="live",
        detail=f"assumed: {why}",
        last_event_time_ms=-1,
        since_ms=from_ms,
    )
