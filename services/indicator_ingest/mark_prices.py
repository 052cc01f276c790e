"""Mark prices from the venue's stream to market.markprice.v1, one each two seconds, behind the evaluations of their second."""

import asyncio
from collections.abc import Sequence

from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import FEEDSTATUS, MARKPRICE
from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.feed_reports import FeedReports
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.session import SessionOptions, StreamSession
from libs.exchanges.venue import Venue
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.kit.service import ServiceContext
from libs.streaming.ordered import Outgoing
from services.indicator_ingest.outlet import Outlet

FEED = "mark_price"
STREAM = "mark price stream"
NOT_YET = "not open yet"
# The venue sends every symbol's mark price at the full second, when evaluations are due: those need not wait behind them.
AFTER_EDGE_SECONDS = 0.3


class MarkPriceFeed:
    """The `StreamHandler` of one connection's mark prices. `trouble`: why it is not open, None while it is."""

    def __init__(self, context: ServiceContext, venue: Venue, outlet: Outlet, sampler: MarkPriceSampler) -> None:
        self._context = context
        self._venue = venue
        self._outlet = outlet
        self._sampler = sampler
        self.reports = FeedReports(FEED, (), venue.clock, self._tell)
        self._waiting: list[Outgoing] = []
        self.trouble: str | None = NOT_YET

    def session(self, symbols: Sequence[str], silence_seconds: float) -> StreamSession:
        """The supervised stream of these symbols."""
        self.reports = FeedReports(FEED, symbols, self._venue.clock, self._tell, int(silence_seconds * 1000))
        options = SessionOptions(FEED, silence_seconds=silence_seconds)
        return self._venue.streams.session(Subscription(mark_prices=tuple(symbols)), self, options)

    def on_connecting(self) -> None:
        self.reports.enter_all("starting")

    def on_lines(self, lines: frozenset[int]) -> None:
        """Copies of several lines are one event here."""

    def on_open(self) -> None:
        self.trouble = None
        self._context.fulfil(STREAM)

    def on_batch(self, batch: StreamBatch) -> None:
        for mark in batch.mark_prices:
            partition = self._outlet.partitions.get(mark.symbol)
            if partition is None or mark.symbol not in self.reports.symbols:
                continue
            try:
                if mark.event_time < 0 or not self._venue.clock.believes(mark.event_time):
                    raise BadMessage("absurd_time", f"{mark.symbol} at {mark.event_time}")
                event = self._sampler.select(mark)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(FEED, error.reason).inc()
                get_logger(FEED).warning("a mark price cannot be read", detail=error.detail)
                continue
            self.reports.seen(mark.symbol, mark.event_time)
            self.reports.enter(mark.symbol, "live")
            if event is not None:
                age = (self._venue.clock.now_ms() - mark.event_time) / 1000
                gauge("perpstream_feed_age_seconds").labels(FEED, mark.symbol).set(age)
                self._wait(Outgoing(MARKPRICE, event, mark.symbol, partition))

    def on_close(self, reason: str, silent: bool) -> None:
        self.trouble = reason
        self._context.miss(STREAM, reason)
        self.reports.enter_all("silent" if silent else "down", reason)

    def release(self) -> None:
        """Send the mark prices that wait for the evaluations of their second to pass."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self._outlet.publisher.put(item)

    def _wait(self, item: Outgoing) -> None:
        """A venue without a pace is not waited for: a third of a second may be an hour of its time."""
        clock = self._venue.clock
        if not self._waiting:
            seconds = AFTER_EDGE_SECONDS / clock.speed if clock.paced else 0.0
            asyncio.get_running_loop().call_later(seconds, self.release)
        self._waiting.append(item)

    def _tell(self, event: FeedStatusChanged) -> None:
        partition = self._outlet.partitions[event.symbol]
        self._outlet.publisher.put(Outgoing(FEEDSTATUS, event, event.symbol, partition))
