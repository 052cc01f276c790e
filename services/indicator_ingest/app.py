"""Wiring of indicator_ingest: polls, their history and the mark price streams, with what is on the topics already."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.market import IndicatorHistoryCompleted, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import INDICATOR, INDICATOR_HISTORY, MARKPRICE, SYMBOL_CONTROL, Topic
from libs.exchanges.budget import Priority
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import first_instruments, keep_clock, open_venue
from libs.kit.errors import BadMessage
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.publishing import publishing
from libs.streaming.records import LogReader
from libs.streaming.symbols import SymbolControl
from services.indicator_ingest.backfill import SERIES, Backfill
from services.indicator_ingest.facts import Novelty, Series, series_of
from services.indicator_ingest.history import History
from services.indicator_ingest.mark_prices import STREAM
from services.indicator_ingest.membership import FirstRounds, MarkPrices, Membership
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poller
from services.indicator_ingest.polls import polls
from services.indicator_ingest.settings import IndicatorSettings

TAIL_RECORDS = 5000


async def main(context: ServiceContext) -> None:
    """Publish slow inputs and mark prices until told to stop."""
    kafka, venue_settings = load_settings(KafkaSettings), load_settings(VenueSettings)
    configured, settings = load_settings(SymbolSettings).symbols, load_settings(IndicatorSettings)
    context.expect(KAFKA, "venue", STREAM)
    sessions = SessionGroup()
    async with (
        publishing(context, kafka.kafka_bootstrap, sessions.hold) as output,
        open_venue(venue_settings) as venue,
    ):
        control = SymbolControl(kafka.kafka_bootstrap, SYMBOL_CONTROL, configured)
        instruments = await first_instruments(venue, await control.at_start(), configured)
        context.fulfil("venue")
        partitions = {symbol: partition_of(symbol, kafka.market_partitions) for symbol in instruments}
        # Of every partition: a symbol may come to any while we run.
        known = await read_known(kafka.kafka_bootstrap, range(kafka.market_partitions), settings.history_days)
        outlet = Outlet(output.publisher, partitions, known.novelty, venue_settings.venue, venue.clock, known.history)
        start = AtStart(context)
        pollers = [Poller(poll, outlet, start.of(poll.feed)) for poll in polls(venue, instruments, settings)]
        backfill = Backfill(venue.market_data.at(Priority.WARM_UP), outlet, start.over)
        rounds = FirstRounds(pollers, partitions, backfill)
        marks = MarkPrices(context, venue, outlet, known.sampler, settings, sessions)
        marks.open(tuple(instruments))
        members = Membership(kafka.market_partitions, instruments, rounds, marks)
        asking = (poller.run() for poller in pollers)
        await output.run(
            keep_clock(venue), backfill.run(), *asking, rounds.run(), sessions.run(), control.follow(members)
        )
        marks.release()
        await output.drain()


class AtStart:
    """Each feed's first round is a condition of readiness; `over` is set when all have had theirs."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._waiting: set[str] = set()
        self.over = asyncio.Event()

    def of(self, feed: str) -> partial[None]:
        """What the feed's poller calls."""
        self._context.expect(feed)
        self._waiting.add(feed)
        return partial(self._had, feed)

    def _had(self, feed: str) -> None:
        self._context.fulfil(feed)
        self._waiting.discard(feed)
        if not self._waiting:
            self.over.set()


@dataclass(frozen=True, slots=True)
class Known:
    """What the topics hold already, so that a restart doubles nothing and goes on with the history where it was."""

    novelty: Novelty
    sampler: MarkPriceSampler
    history: History


async def read_known(bootstrap: str, partitions: Iterable[int], history_days: float) -> Known:
    """Read the ends of the topics that this service writes, and all marks of its history."""
    novelty, sampler, newest = Novelty(), MarkPriceSampler(), dict[Series, int]()
    async with LogReader(bootstrap) as log:
        marks = await _tail(log, INDICATOR_HISTORY, 0)
        history = History((mark for mark in marks if isinstance(mark, IndicatorHistoryCompleted)), history_days)
        for partition in partitions:
            for event in await _tail(log, INDICATOR, partition, TAIL_RECORDS):
                if isinstance(event, MarketIndicatorObserved):
                    novelty.remember(event)
                    series = series_of(event)
                    if series[1:] in SERIES and not event.availability_assumed:
                        newest[series] = max(newest.get(series, -1), event.event_time_ms)
            for event in await _tail(log, MARKPRICE, partition, TAIL_RECORDS):
                if isinstance(event, MarkPriceObserved):
                    sampler.remember(event.symbol, event.event_time_ms)
    for series, instant in newest.items():
        history.on_the_topic(series, instant)
    for series, instant in history.live_ends().items():
        novelty.remember_instant(series, instant)
    return Known(novelty, sampler, history)


async def _tail(log: LogReader, topic: Topic, partition: int, records: int | None = None) -> list[Event]:
    """The readable ones of the last `records`, or of all."""
    end = await log.end(topic.name, partition)
    start = 0 if records is None else max(0, end - records)
    events = []
    async for batch in log.range(topic.name, partition, start, end):
        for record in batch:
            try:
                events.append(decode(record.value, record.headers, topic.events))
            except BadMessage:
                continue
    return events
