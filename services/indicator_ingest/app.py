"""Wiring of indicator_ingest: polls and the mark price streams, with what is on the topics already."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.market import FeedState, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import FEEDSTATUS, INDICATOR, MARKPRICE, Topic
from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.feed_status import FeedStatus
from libs.exchanges.session import SessionOptions, StreamSession, brake
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.ordered import Outgoing
from libs.streaming.publishing import publishing
from libs.streaming.records import LogReader
from services.indicator_ingest.facts import MarkPriceSampler, Novelty
from services.indicator_ingest.polling import Outlet, Poller
from services.indicator_ingest.polls import polls
from services.indicator_ingest.settings import IndicatorSettings

FEED = "mark_price"
STREAM = "mark price stream"
TAIL_RECORDS = 5000
# The venue sends every symbol's mark price at the full second, when evaluations are due: those need not wait behind them.
AFTER_EDGE_SECONDS = 0.3


async def main(context: ServiceContext) -> None:
    """Publish slow inputs and mark prices until told to stop."""
    kafka, venue_settings = load_settings(KafkaSettings), load_settings(VenueSettings)
    symbols, settings = load_settings(SymbolSettings).symbols, load_settings(IndicatorSettings)
    context.expect(KAFKA, "venue", STREAM)
    sessions: list[StreamSession] = []
    async with (
        publishing(context, kafka.kafka_bootstrap, partial(brake, sessions)) as output,
        open_venue(venue_settings) as venue,
    ):
        instruments = await first_instruments(venue, symbols)
        context.fulfil("venue")
        partitions = {symbol: partition_of(symbol, kafka.market_partitions) for symbol in symbols}
        known = await _read_tails(kafka.kafka_bootstrap, set(partitions.values()))
        outlet = Outlet(output.publisher, partitions, known.novelty, venue_settings.venue, venue.clock)
        pollers = []
        for poll in polls(venue, instruments, settings):
            context.expect(poll.feed)
            pollers.append(Poller(poll, outlet, partial(context.fulfil, poll.feed)))
        size = settings.symbols_per_connection
        feeds: list[MarkPriceFeed] = []
        for start in range(0, len(symbols), size):
            feeds.append(feed := MarkPriceFeed(context, venue, outlet, known.sampler))
            sessions.append(feed.session(symbols[start : start + size], settings.silence_seconds))
        await output.run(
            keep_clock(venue), *(poller.run() for poller in pollers), *(session.run() for session in sessions)
        )
        for feed in feeds:
            feed.release()
        await output.drain()


@dataclass(frozen=True, slots=True)
class Known:
    """What the topics hold already, so that a restart doubles nothing."""

    novelty: Novelty
    sampler: MarkPriceSampler


async def _read_tails(bootstrap: str, partitions: Iterable[int]) -> Known:
    known = Known(Novelty(), MarkPriceSampler())
    async with LogReader(bootstrap) as log:
        for partition in partitions:
            for topic in (INDICATOR, MARKPRICE):
                for event in await _tail(log, topic, partition):
                    if isinstance(event, MarketIndicatorObserved):
                        known.novelty.remember(event)
                    elif isinstance(event, MarkPriceObserved):
                        known.sampler.remember(event.symbol, event.event_time_ms)
    return known


async def _tail(log: LogReader, topic: Topic, partition: int) -> list[Event]:
    end = await log.end(topic.name, partition)
    events = []
    async for batch in log.range(topic.name, partition, max(0, end - TAIL_RECORDS), end):
        for record in batch:
            try:
                events.append(decode(record.value, record.headers, topic.events))
            except BadMessage:
                continue
    return events


class MarkPriceFeed:
    """The `StreamHandler` of one connection's mark prices."""

    def __init__(self, context: ServiceContext, venue: Venue, outlet: Outlet, sampler: MarkPriceSampler) -> None:
        self._context = context
        self._venue = venue
        self._outlet = outlet
        self._sampler = sampler
        self._symbols: tuple[str, ...] = ()
        self._status = FeedStatus(FEED, ())
        self._last: dict[str, int] = {}
        self._waiting: list[Outgoing] = []

    def session(self, symbols: Sequence[str], silence_seconds: float) -> StreamSession:
        """The supervised stream of these symbols."""
        self._symbols = tuple(symbols)
        self._status = FeedStatus(FEED, symbols)
        options = SessionOptions(FEED, silence_seconds=silence_seconds)
        return self._venue.streams.session(Subscription(mark_prices=self._symbols), self, options)

    def on_connecting(self) -> None:
        self._report_all("starting")

    def on_lines(self, lines: frozenset[int]) -> None:
        """Copies of several lines are one event here."""

    def on_open(self) -> None:
        self._context.fulfil(STREAM)

    def on_batch(self, batch: StreamBatch) -> None:
        for mark in batch.mark_prices:
            partition = self._outlet.partitions.get(mark.symbol)
            if partition is None:
                continue
            try:
                if mark.event_time < 0 or not self._venue.clock.believes(mark.event_time):
                    raise BadMessage("absurd_time", f"{mark.symbol} at {mark.event_time}")
                event = self._sampler.select(mark)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(FEED, error.reason).inc()
                get_logger(FEED).warning("a mark price cannot be read", detail=error.detail)
                continue
            self._last[mark.symbol] = mark.event_time
            self._report(mark.symbol, "live")
            if event is not None:
                age = (self._venue.clock.now_ms() - mark.event_time) / 1000
                gauge("perpstream_feed_age_seconds").labels(FEED, mark.symbol).set(age)
                self._wait(Outgoing(MARKPRICE, event, mark.symbol, partition))

    def on_close(self, reason: str, silent: bool) -> None:
        self._context.miss(STREAM, reason)
        self._report_all("silent" if silent else "down", reason)

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

    def _report_all(self, state: FeedState, detail: str = "") -> None:
        for symbol in self._symbols:
            self._report(symbol, state, detail)

    def _report(self, symbol: str, state: FeedState, detail: str = "") -> None:
        now = self._venue.clock.now_ms()
        event = self._status.change(symbol, state, now, detail, self._last.get(symbol, -1))
        if event is not None:
            self._outlet.publisher.put(Outgoing(FEEDSTATUS, event, symbol, self._outlet.partitions[symbol]))
