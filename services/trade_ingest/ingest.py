"""The running ingest: stream callbacks drive the assembler, the assembler's frames go to the ordered publisher."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from libs.contracts.event import Event
from libs.contracts.market import UNKNOWN_TIME, FeedState
from libs.contracts.topics import AGGTRADE, FEEDSTATUS
from libs.exchanges import AggTrade, Instrument
from libs.exchanges.venue import Venue
from libs.kit.clock import SystemClock, VenueClock, wall_us
from libs.kit.metrics import counter, gauge
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.trade_ingest.assembler import Assembler, Resume
from services.trade_ingest.bootstrap import fetch_bootstrap
from services.trade_ingest.continuity import Continuity, Told
from services.trade_ingest.health import COMPLETENESS_SPANS, FEED, FeedHealth, FeedMemory

# How long a trade beyond a grid edge waits for those of its partition's other symbols; docs/decisions/0013-ingest.md.
EDGE_SECONDS = 0.005
# Real seconds, or venue seconds where those are longer: how late a trade may be told that happened before a connection was open.
ON_ITS_WAY_SECONDS = 1.0


class Source(Protocol):
    """Where a symbol's trades come from. `newest`: the newest venue event time it brought (ms), 0 while it is closed."""

    newest: int

    def replace(self) -> None:
        """Put another connection in its place."""
        ...


class Listener(Protocol):
    """Who wants to know of trades while some symbol is silent or halted."""

    def heard(self, trades: Sequence[AggTrade]) -> None: ...

    def forget(self, symbols: Sequence[str]) -> None:
        """Their stream is gone."""
        ...


class TradeIngest:
    """Ties the pure core to the queue; implements what the gap filler and the silence watch need of their host. `memories`: what
    the topic says of the feeds, to go on from."""

    def __init__(
        self,
        venue: Venue,
        assembler: Assembler,
        publisher: OrderedPublisher,
        instruments: dict[str, Instrument],
        memories: dict[str, FeedMemory] | None = None,
    ) -> None:
        self.assembler = assembler
        self._venue = venue
        self._publisher = publisher
        self._instruments = instruments
        self._open: set[str] = set()
        self._opened_ms: dict[str, int] = {}
        self._overlay: dict[str, tuple[FeedState, str]] = {}
        self._counted: dict[str, tuple[int, int, int]] = {}
        self.urgent = asyncio.Event()
        self._partitions = {feed.symbol: feed.builder.partition for feed in assembler.feeds.values()}
        self.health = FeedHealth(assembler, memories or {}, self.venue_ms, self._send)
        self.health.publish = self._publish
        self.sources: dict[str, Source] = {}
        self.listener: Listener | None = None

    def add(self, instrument: Instrument, resume: Resume, memory: FeedMemory) -> None:
        """One more symbol, while the others run; its stream is opened next."""
        symbol = instrument.symbol
        self._instruments[symbol] = instrument
        self._partitions[symbol] = self.assembler.add(instrument, resume).builder.partition
        self.health.add(symbol, memory)

    def remove(self, symbol: str) -> None:
        """The symbol is not followed any more: publish what was taken, say so, and know nothing of it from then on."""
        self.assembler.flush()
        self.pump()
        self._interrupt([symbol], "disconnected")
        self.report_metrics()
        self.health.remove(symbol)
        self.assembler.remove(symbol)
        self._counted.pop(symbol, None)
        self.sources.pop(symbol, None)
        gauge("perpstream_watermark_age_seconds").remove(symbol)
        gauge("perpstream_feed_age_seconds").remove(FEED, symbol)
        gauge("perpstream_gaps_open").remove(symbol)
        for span in COMPLETENESS_SPANS:
            gauge("perpstream_completeness_ratio").remove(symbol, span)

    @property
    def clock(self) -> VenueClock:
        """The venue's time."""
        return self._venue.clock

    def venue_ms(self) -> int:
        """Now, at the venue; of a recording that is told as fast as it is read, what was heard last."""
        if self.clock.paced:
            return max(0, self.clock.now_ms())
        heard = max((source.newest for source in self.sources.values()), default=0)
        return max([heard, *(feed.last_time for feed in self.assembler.feeds.values())])

    def opened(self, symbols: Sequence[str]) -> None:
        """Their stream delivers from now on."""
        self._open.update(symbols)
        self._opened_ms.update(dict.fromkeys(symbols, self.clock.now_ms()))

    def lost(self, symbols: Sequence[str], *, silent: bool, reason: str) -> None:
        """Their stream is gone, or says nothing."""
        self._interrupt(symbols, "silent" if silent else "disconnected")
        for symbol in symbols:
            self.health.say(symbol, "silent" if silent else "down", reason)

    def ended(self) -> None:
        """No stream tells anything any more: what REST had brought ahead of them is a gap, and no successor would know of it."""
        for symbol in self.assembler.feeds:
            self.health.doubt(symbol, "restart")
            self.health.interrupted(symbol)
            self.health.advanced(symbol)

    def _interrupt(self, symbols: Sequence[str], cause: str) -> None:
        self._open.difference_update(symbols)
        self.assembler.interrupt(symbols)
        if self.listener is not None:
            self.listener.forget(symbols)
        for symbol in symbols:
            self._overlay.pop(symbol, None)
            self.health.doubt(symbol, cause)
            self.health.interrupted(symbol)

    def heard(self, trades: Sequence[AggTrade]) -> None:
        """Trades of one socket read were taken: note the delay of the last one, and who is not silent any more."""
        if self.clock.paced:
            last = trades[-1]
            self.health.delayed(last.symbol, self.clock.now_ms() - last.event_time)
        if self._overlay and self.listener is not None:
            self.listener.heard(trades)

    def say(self, symbol: str, state: FeedState, detail: str = "") -> None:
        """Tell the state, unless something worse is known of the symbol."""
        state, detail = self._overlay.get(symbol, (state, detail))
        self.health.say(symbol, state, detail)

    def silent(self, symbol: str, detail: str) -> None:
        self.health.doubt(symbol, "silent")
        self._overlay[symbol] = "silent", detail
        # Since its last trade: whoever has evaluated nothing of that span yet must not do so as if all were well.
        self.health.say(symbol, "silent", detail, since_ms=max(0, self.assembler.feeds[symbol].last_time))

    def halted(self, symbol: str, detail: str) -> None:
        self._overlay[symbol] = "halted", detail
        self.say(symbol, "halted", detail)

    def recovered(self, symbol: str) -> None:
        self._overlay.pop(symbol, None)
        whole = self.assembler.feeds[symbol].tracker.state is Continuity.LIVE
        self.say(symbol, "live" if whole else "stale")

    def connected(self, symbol: str) -> bool:
        return symbol in self._open

    def heard_until(self, symbol: str) -> int:
        source = self.sources.get(symbol)
        return 0 if source is None else source.newest

    def replace(self, symbol: str) -> None:
        self.sources[symbol].replace()

    def settled(self, symbol: str) -> None:
        self.health.advanced(symbol)
        self.say(symbol, "live")

    def fill(self, symbol: str, rows: Sequence[AggTrade], told: Told) -> None:
        feed = self.assembler.feeds[symbol]
        last_time, missed = feed.last_time, self._missed(symbol, rows)
        if missed:
            feed.tracker.settle()  # no line will tell what is older either
        self.health.note_gaps(symbol)
        self.assembler.fill(symbol, rows, told, wall_us())
        # What was not believed of the answer is in no gap either.
        self.health.brought(symbol, last_time, [row for row in missed if row.agg_id < feed.tracker.expected])
        self.assembler.cut_holes()
        self.pump()
        self.health.advanced(symbol)

    def _missed(self, symbol: str, rows: Sequence[AggTrade]) -> list[AggTrade]:
        """The rows that the stream will not tell, as far as that is certain now: it is lost, or it is silent, or has told nothing
        since its connection was opened, and they happened well before. The others it may still tell, later than REST; the tracker
        notices what it leaves out when it tells something newer, or is lost."""
        tracker = self.assembler.feeds[symbol].tracker
        unheard = [row for row in rows if row.agg_id > tracker.told and row.agg_id >= tracker.expected]
        if symbol not in self._open:
            return unheard
        silent = self._overlay.get(symbol, ("live", ""))[0] == "silent"
        if tracker.heard and not silent:
            return []  # what was left out before that is known as a gap
        if not self.clock.paced:
            return unheard
        since_ms = self.clock.now_ms() if silent else self._opened_ms.get(symbol, 0)
        until_ms = since_ms - ON_ITS_WAY_SECONDS * 1000 * max(1.0, self.clock.speed)
        return [row for row in unheard if row.trade_time <= until_ms]

    def abandon(self, symbol: str, cause: str) -> None:
        self.health.note_gaps(symbol, given_up=True)
        self.assembler.abandon(symbol, cause, wall_us())
        self.assembler.cut_holes()
        self.pump()
        self.health.advanced(symbol)

    def measure_clock(self) -> None:
        """What our clock says less what the venue's says, where both run equally fast."""
        if self.clock.paced and self.clock.speed == 1.0:
            self.health.clock_offset_ms = float(SystemClock().now_ms() - self.clock.now_ms())

    async def room(self) -> None:
        await self._publisher.room()

    async def bootstrap(self, symbol: str, until_ms: int) -> None:
        feed = self.assembler.feeds[symbol]
        event = await fetch_bootstrap(
            self._venue.market_data, self._instruments[symbol], until_ms, self.assembler.origin
        )
        if self.assembler.feeds.get(symbol) is not feed:
            return  # removed meanwhile
        if event.minute_bars or event.candle_bars:
            self._put(event, self._partitions[symbol])

    def pump(self) -> None:
        frames = self.assembler.drain()
        for frame in frames:
            self._put(frame, frame.partition)
            counter("perpstream_frames_published_total").labels(str(frame.partition)).inc()
            for part in frame.slices:
                if part.rows:
                    counter("perpstream_trades_published_total").labels(part.symbol).inc(part.rows)
        # Behind all of them: no report may know of a hole that stands behind it.
        if holes := [hole for frame in frames for hole in frame.holes]:
            self.health.declared(holes)

    def _publish(self, symbol: str) -> None:
        self.assembler.cut(symbol)
        self.pump()

    async def send_edges(self) -> None:
        """Send what lies beyond a grid edge soon, for ever: the other symbols cross the same edge within milliseconds, and one
        frame for several of them costs every reader less than one each."""
        while True:
            await self.urgent.wait()
            await asyncio.sleep(EDGE_SECONDS)
            self.urgent.clear()
            self.assembler.cut_edges()
            self.pump()

    def _send(self, event: Event, symbol: str) -> None:
        self._publisher.put(Outgoing(FEEDSTATUS, event, symbol, self._partitions[symbol]))

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
