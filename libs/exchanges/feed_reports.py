"""What is told of a simple stream's feeds: each change at once, and every ten seconds of venue time the figures."""

from collections.abc import Callable, Iterable

from libs.contracts.market import UNKNOWN_TIME, FeedState, FeedStatusChanged
from libs.exchanges.feed_status import REPORT_MS, FeedStatus, Figures, Meter
from libs.kit.clock import VenueClock

# Real seconds between two reports at least, however fast the venue's time runs.
SHORTEST_SECONDS = 1.0


class FeedReports:
    """One feed of several symbols; `tell` takes each event. With `stale_after_ms`, a live symbol whose newest event is older
    than that (venue time) is stale until the next one; an unpaced venue has no clock to judge that by."""

    def __init__(
        self,
        feed: str,
        symbols: Iterable[str],
        clock: VenueClock,
        tell: Callable[[FeedStatusChanged], None],
        stale_after_ms: int | None = None,
    ) -> None:
        self.symbols = tuple(symbols)
        self._status = FeedStatus(feed, self.symbols)
        self._clock = clock
        self._tell = tell
        self._stale_after_ms = stale_after_ms if clock.paced else None
        self._meters: dict[str, Meter] = {}
        self._last: dict[str, int] = {}

    def join(self, symbol: str) -> None:
        """One more symbol; tell its state next."""
        self._status.follow(symbol)
        self.symbols = (*self.symbols, symbol)

    def leave(self, symbol: str) -> None:
        """The symbol is not followed any more: tell that, and nothing of it from then on."""
        self._status.end(symbol, self._clock.now_ms())
        self.report(symbol)
        self._status.forget(symbol)
        self.symbols = tuple(other for other in self.symbols if other != symbol)

    def enter(self, symbol: str, state: FeedState, detail: str = "") -> None:
        """The symbol's feed is so from now on; told when that is news."""
        event = self._status.change(symbol, state, self._clock.now_ms(), detail, self._last.get(symbol, UNKNOWN_TIME))
        if event is not None:
            self._tell(event)

    def enter_all(self, state: FeedState, detail: str = "") -> None:
        """The same for every symbol."""
        for symbol in self.symbols:
            self.enter(symbol, state, detail)

    def seen(self, symbol: str, event_time_ms: int) -> None:
        """An event of the symbol came, which the venue stamped so."""
        self._last[symbol] = max(event_time_ms, self._last.get(symbol, UNKNOWN_TIME))
        meter = self._meters.setdefault(symbol, Meter())
        meter.count()
        meter.delayed(self._clock.now_ms() - event_time_ms)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._clock.sleep(max(REPORT_MS / 1000, SHORTEST_SECONDS * self._clock.speed))
            for symbol in self.symbols:
                self.report(symbol)

    def report(self, symbol: str) -> None:
        """Tell the symbol's state and figures, if there is a state."""
        now, last = self._clock.now_ms(), self._last.get(symbol, UNKNOWN_TIME)
        limit = self._stale_after_ms
        if limit is not None and self._status.state_of(symbol) == "live" and 0 <= last < now - limit:
            old = f"the newest is {(now - last) / 1000:.0f} s old, the limit is {limit / 1000:g} s"
            self._status.enter(symbol, "stale", now, old)
        rate, delay = self._meters.setdefault(symbol, Meter()).take(now)
        event = self._status.report(symbol, now, last, Figures(events_per_second=rate, delay_ms=delay))
        if event is not None:
            self._tell(event)
