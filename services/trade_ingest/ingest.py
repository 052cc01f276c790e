"""The running ingest: stream callbacks drive the assembler, the assembler's frames go to the ordered publisher."""

import asyncio
import time
from collections.abc import Callable, Sequence

from libs.contracts.event import Event
from libs.contracts.market import UNKNOWN_TIME, FeedState
from libs.contracts.topics import AGGTRADE, FEEDSTATUS
from libs.exchanges import Instrument, StreamBatch
from libs.exchanges.feed_status import FeedStatus
from libs.exchanges.venue import Venue
from libs.kit.clock import VenueClock
from libs.kit.metrics import counter, gauge
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.trade_ingest.assembler import Assembler
from services.trade_ingest.bootstrap import fetch_bootstrap
from services.trade_ingest.continuity import Continuity
from services.trade_ingest.frame_builder import Origin

FEED = "trades"
DOUBT_SECONDS = 1.0
# How long a trade beyond a grid edge waits for those of its partition's other symbols; docs/decisions/0013-ingest.md.
EDGE_SECONDS = 0.005


class TradeIngest:
    """Ties the pure core to the queue; implements what the gap filler needs of its host."""

    def __init__(
        self,
        venue: Venue,
        assembler: Assembler,
        publisher: OrderedPublisher,
        instruments: dict[str, Instrument],
        origin: Origin,
    ) -> None:
        self.assembler = assembler
        self._venue = venue
        self._publisher = publisher
        self._instruments = instruments
        self._origin = origin
        self._status = FeedStatus(FEED, instruments)
        self._open: set[str] = set()
        self._counted: dict[str, tuple[int, int, int]] = {}
        self.urgent = asyncio.Event()
        self._partitions = {feed.symbol: feed.builder.partition for feed in assembler.feeds.values()}

    @property
    def clock(self) -> VenueClock:
        """The venue's time."""
        return self._venue.clock

    def opened(self, symbols: Sequence[str]) -> None:
        """Their stream delivers from now on."""
        self._open.update(symbols)

    def lost(self, symbols: Sequence[str], state: FeedState, reason: str) -> None:
        """Their stream is gone."""
        self._open.difference_update(symbols)
        self.assembler.interrupt(symbols)
        for symbol in symbols:
            self.report(symbol, state, reason)

    def report(self, symbol: str, state: FeedState, detail: str = "") -> None:
        """Publish the feed's state if it is another than before."""
        last = self.assembler.feeds[symbol].last_time
        event = self._status.change(symbol, state, self._venue.clock.now_ms(), detail, last)
        if event is not None:
            self._publisher.put(Outgoing(FEEDSTATUS, event, symbol, self._partitions[symbol]))

    def connected(self, symbol: str) -> bool:
        return symbol in self._open

    def settled(self, symbol: str) -> None:
        self.report(symbol, "live")

    async def room(self) -> None:
        await self._publisher.room()

    async def bootstrap(self, symbol: str, until_ms: int) -> None:
        event = await fetch_bootstrap(self._venue.market_data, self._instruments[symbol], until_ms, self._origin)
        if event.minute_bars or event.candle_bars:
            self._put(event, self._partitions[symbol])

    def pump(self) -> None:
        for frame in self.assembler.drain():
            self._put(frame, frame.partition)
            counter("perpstream_frames_published_total").labels(str(frame.partition)).inc()
            for part in frame.slices:
                if part.rows:
                    counter("perpstream_trades_published_total").labels(part.symbol).inc(part.rows)

    async def send_edges(self) -> None:
        """Send what lies beyond a grid edge soon, for ever: the other symbols cross the same edge within milliseconds, and one
        frame for several of them costs every reader less than one each."""
        while True:
            await self.urgent.wait()
            await asyncio.sleep(EDGE_SECONDS)
            self.urgent.clear()
            self.assembler.cut_edges()
            self.pump()

    def _put(self, event: Event, partition: int) -> None:
        self._publisher.put(Outgoing(AGGTRADE, event, str(partition), partition))

    @property
    def unsettled(self) -> list[str]:
        """Symbols whose continuity is not proven."""
        return [
            symbol
            for symbol, feed in self.assembler.feeds.items()
            if symbol not in self._open or feed.tracker.state is not Continuity.LIVE
        ]

    def report_metrics(self) -> None:
        """Gauges and exact counts that the hot path does not touch."""
        now = self._venue.clock.now_ms()
        for symbol, feed in self.assembler.feeds.items():
            counts = self.assembler.counts
            missing = counts.missing.get(symbol, 0)
            disbelieved = counts.disbelieved.get(symbol, 0) + feed.tracker.disbelieved
            late_before, missing_before, disbelieved_before = self._counted.get(symbol, (0, 0, 0))
            counter("perpstream_trades_late_total").labels(symbol).inc(feed.watermark.late - late_before)
            counter("perpstream_trades_missing_total").labels(symbol).inc(missing - missing_before)
            counter("perpstream_records_dropped_total").labels(FEED, "not_believed").inc(
                disbelieved - disbelieved_before
            )
            self._counted[symbol] = feed.watermark.late, missing, disbelieved
            if feed.watermark.value != UNKNOWN_TIME:
                gauge("perpstream_watermark_age_seconds").labels(symbol).set((now - feed.watermark.value) / 1000)
            if feed.last_time != UNKNOWN_TIME:
                gauge("perpstream_feed_age_seconds").labels(FEED, symbol).set((now - feed.last_time) / 1000)


class StreamFeed:
    """The `StreamHandler` of one connection's symbols."""

    def __init__(self, ingest: TradeIngest, symbols: Sequence[str], want: Callable[[str], None]) -> None:
        self._ingest = ingest
        self._symbols = tuple(symbols)
        self._want = want
        self._check: asyncio.TimerHandle | None = None
        self._newest = 0
        self._healthy = False

    def on_connecting(self) -> None:
        for symbol in self._symbols:
            self._ingest.report(symbol, "starting")

    def on_open(self) -> None:
        self._healthy = True
        self._newest = 0
        self._ingest.opened(self._symbols)
        for symbol in self._symbols:
            self._ingest.report(symbol, "stale")
            if self._ingest.assembler.feeds[symbol].tracker.state is Continuity.FILLING:
                self._want(symbol)
        self._check = asyncio.get_running_loop().call_later(DOUBT_SECONDS, self._want_unsettled)

    def on_batch(self, batch: StreamBatch) -> None:
        assembler = self._ingest.assembler
        if batch.trades:
            assembler.believed_until = self._ingest.clock.latest_believable_ms()
            assembler.take(batch.trades, time.time_ns() // 1000)
            if assembler.newly_filling:
                self._on_gaps(assembler)
            self._ingest.pump()
            if assembler.waits_beyond_an_edge:
                self._ingest.urgent.set()
        if self._ingest.clock.believes(batch.newest_event_time):
            self._newest = max(self._newest, batch.newest_event_time)

    def on_close(self, reason: str, silent: bool) -> None:
        self._healthy = False
        if self._check is not None:
            self._check.cancel()
        self._ingest.lost(self._symbols, "silent" if silent else "down", reason)

    def follow(self) -> None:
        """Let quiet symbols' watermarks follow the connection, while it is whole; ask for what was found unreadable at a cut."""
        if self._ingest.assembler.newly_filling:
            self._on_gaps(self._ingest.assembler)
        if self._healthy and self._newest:
            self._ingest.assembler.follow(self._symbols, self._newest)

    def _on_gaps(self, assembler: Assembler) -> None:
        gaps, assembler.newly_filling = assembler.newly_filling, []
        if assembler.in_doubt:
            assembler.in_doubt = False
            self._ingest.clock.doubted.set()
        for symbol in gaps:
            self._ingest.report(symbol, "stale")
            if self._ingest.connected(symbol):
                self._want(symbol)

    def _want_unsettled(self) -> None:
        for symbol in self._symbols:
            feed = self._ingest.assembler.feeds[symbol]
            if feed.tracker.state is Continuity.LIVE:
                self._ingest.settled(symbol)
            else:
                self._want(symbol)
