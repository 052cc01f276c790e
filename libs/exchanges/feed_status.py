"""Which health each symbol's feed was last reported with, and the figures of its reports: turns observations into
`FeedStatusChanged`. Pure: the caller brings the venue's time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, FeedState, FeedStatusChanged, IdMark, OpenGap

REPORT_MS = 10_000
NO_LONGER_FOLLOWED = "no longer followed"
"""The detail of the last report of a symbol that somebody has removed."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says beside the state; see `FeedStatusChanged`."""

    events_per_second: float | None = None
    delay_ms: float | None = None
    clock_offset_ms: float | None = None
    gaps_open: int = 0
    gaps_filled: int = 0
    completeness_1h_ppm: int | None = None
    completeness_24h_ppm: int | None = None
    open_gaps: tuple[OpenGap, ...] = ()
    marks: tuple[IdMark, ...] = ()


class FeedStatus:
    """One feed (`trades`, `liquidations`, …) of several symbols."""

    def __init__(self, feed: str, symbols: Iterable[str]) -> None:
        self.feed = feed
        self._states: dict[str, FeedState | None] = dict.fromkeys(symbols)
        self._since: dict[str, int] = {}
        self._details: dict[str, str] = {}

    def state_of(self, symbol: str) -> FeedState | None:
        """The last reported state; None before the first, and of a symbol that is not followed."""
        return self._states.get(symbol)

    def follow(self, symbol: str) -> None:
        """One more symbol, of which nothing has been reported."""
        self._states.setdefault(symbol, None)

    def end(self, symbol: str, at_ms: int) -> None:
        """The symbol is not followed any more; report that, then `forget` it."""
        self._states[symbol], self._since[symbol], self._details[symbol] = "down", at_ms, NO_LONGER_FOLLOWED

    def forget(self, symbol: str) -> None:
        """As if it had never been followed."""
        self._states.pop(symbol, None)

    def change(
        self, symbol: str, state: FeedState, at_ms: int, detail: str = "", last_event_ms: int = UNKNOWN_TIME
    ) -> FeedStatusChanged | None:
        """The event when `state` is new for the symbol, else None."""
        return self.report(symbol, at_ms, last_event_ms) if self.enter(symbol, state, at_ms, detail) else None

    def enter(self, symbol: str, state: FeedState, at_ms: int, detail: str = "") -> bool:
        """Whether the state is new; it is to be reported then."""
        if self._states.get(symbol) == state:
            return False
        self._states[symbol], self._since[symbol], self._details[symbol] = state, at_ms, detail
        return True

    def report(
        self, symbol: str, at_ms: int, last_event_ms: int = UNKNOWN_TIME, figures: Figures | None = None
    ) -> FeedStatusChanged | None:
        """The state as it is, with figures; None before the first change."""
        state = self._states.get(symbol)
        if state is None:
            return None
        known = figures or Figures()
        return FeedStatusChanged(
            event_id=digest("feed_status", self.feed, symbol, state, self._since[symbol], at_ms),
            event_time_ms=at_ms,
            feed=self.feed,
            symbol=symbol,
            state=state,
            detail=self._details[symbol],
            last_event_time_ms=last_event_ms,
            since_ms=self._since[symbol],
            **{name: getattr(known, name) for name in known.__struct_fields__},
        )


@dataclass(slots=True)
class Meter:
    """Events and their delays between two reports of one symbol."""

    since_ms: int = UNKNOWN_TIME
    events: int = 0
    delays: int = 0
    delay_sum_ms: float = 0.0

    def count(self, events: int = 1) -> None:
        """So many events came."""
        self.events += events

    def delayed(self, delay_ms: float) -> None:
        """One of them came so long after its venue event time, by the venue's clock as we know it."""
        self.delays += 1
        self.delay_sum_ms += delay_ms

    def take(self, now_ms: int) -> tuple[float | None, float | None]:
        """Events per second and mean delay (ms) since the last call, and start anew; None where nothing was measured."""
        seconds = (now_ms - self.since_ms) / 1000 if self.since_ms != UNKNOWN_TIME else 0.0
        rate = self.events / seconds if seconds > 0 else None
        delay = self.delay_sum_ms / self.delays if self.delays else None
        self.since_ms, self.events, self.delays, self.delay_sum_ms = now_ms, 0, 0, 0.0
        return rate, delay
