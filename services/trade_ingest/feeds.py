"""One session's symbols: what its connections bring goes to the assembler, what is in doubt to the filler."""

import asyncio
import time
from collections.abc import Callable, Sequence

from libs.exchanges import StreamBatch
from libs.exchanges.session import StreamSession
from libs.kit.clock import wall_us
from services.trade_ingest.assembler import Assembler
from services.trade_ingest.continuity import Continuity
from services.trade_ingest.ingest import TradeIngest

DOUBT_SECONDS = 1.0
# How long one connection is waited for when another has jumped over ids: real time, a hundred times what separates them.
LINE_SECONDS = 1.0


class StreamFeed:
    """The `StreamHandler` of one session's symbols. `session` is set before it runs."""

    def __init__(self, ingest: TradeIngest, symbols: Sequence[str], want: Callable[[str], None]) -> None:
        self._ingest = ingest
        self.symbols = tuple(symbols)
        self._left: frozenset[str] = frozenset()
        self._want = want
        self._check: asyncio.TimerHandle | None = None
        self.session: StreamSession | None = None
        self.newest = 0
        self._waiting: dict[str, float] = {}
        ingest.sources.update(dict.fromkeys(self.symbols, self))

    def leave(self, symbol: str) -> None:
        """The connection goes on telling it until it is closed; whoever follows it again has another one for that."""
        self.symbols = tuple(other for other in self.symbols if other != symbol)
        self._left |= {symbol}
        self._waiting.pop(symbol, None)

    def replace(self) -> None:
        if self.session is not None:
            self.session.replace()

    def on_connecting(self) -> None:
        for symbol in self.symbols:
            self._ingest.health.say_starting(symbol)

    def on_lines(self, lines: frozenset[int]) -> None:
        for symbol in self.symbols:
            if self._ingest.assembler.feeds[symbol].tracker.lost_lines(lines):
                self._ingest.assembler.newly_filling.append(symbol)
        if self._ingest.assembler.newly_filling:
            self._on_gaps(self._ingest.assembler)

    def on_open(self) -> None:
        self.newest = 0
        self._ingest.opened(self.symbols)
        for symbol in self.symbols:
            self._ingest.say(symbol, "stale", "what happened before the connection is being asked for")
            if self._ingest.assembler.feeds[symbol].tracker.state is Continuity.FILLING:
                self._want(symbol)
        self._check = asyncio.get_running_loop().call_later(DOUBT_SECONDS, self._want_unsettled)

    def on_batch(self, batch: StreamBatch) -> None:
        ingest, assembler = self._ingest, self._ingest.assembler
        if self._left:
            batch.trades = [trade for trade in batch.trades if trade.symbol not in self._left]
        if batch.trades:
            assembler.believed_until = ingest.clock.latest_believable_ms()
            assembler.take(batch.trades, wall_us(), batch.line)
            ingest.heard(batch.trades)
            if assembler.newly_filling:
                self._on_gaps(assembler)
            ingest.pump()
            if assembler.waits_beyond_an_edge:
                ingest.urgent.set()
        if ingest.clock.believes(batch.newest_event_time):
            self.newest = max(self.newest, batch.newest_event_time)

    def on_close(self, reason: str, silent: bool) -> None:
        if self._check is not None:
            self._check.cancel()
        self.newest = 0
        self._ingest.lost(self.symbols, silent=silent, reason=reason)

    def look(self) -> None:
        """At every flush: ask for what was found unreadable at a cut, and for what no other connection brought in time."""
        assembler, now = self._ingest.assembler, time.monotonic()
        for symbol in self.symbols:
            tracker = assembler.feeds[symbol].tracker
            if tracker.state is Continuity.WAITING:
                if now - self._waiting.setdefault(symbol, now) > LINE_SECONDS and tracker.stop_waiting():
                    assembler.newly_filling.append(symbol)
            elif symbol in self._waiting:
                # While REST is asked, the other connection may still bring it.
                self._waiting[symbol] = now
                if tracker.state is not Continuity.FILLING:
                    del self._waiting[symbol]
                if tracker.state is Continuity.LIVE:
                    self._ingest.settled(symbol)
        if assembler.newly_filling:
            self._on_gaps(assembler)

    def _on_gaps(self, assembler: Assembler) -> None:
        gaps, assembler.newly_filling = assembler.newly_filling, []
        if assembler.in_doubt:
            assembler.in_doubt = False
            self._ingest.clock.doubted.set()
        for symbol in gaps:
            self._ingest.health.note_gaps(symbol)
            self._ingest.say(symbol, "stale", "trades are missing and are being asked for")
            if self._ingest.connected(symbol):
                self._want(symbol)

    def _want_unsettled(self) -> None:
        for symbol in self.symbols:
            feed = self._ingest.assembler.feeds[symbol]
            if feed.tracker.state is Continuity.LIVE:
                self._ingest.settled(symbol)
            elif feed.tracker.state is Continuity.WAITING:
                self._waiting.setdefault(symbol, time.monotonic())
            else:
                self._want(symbol)
