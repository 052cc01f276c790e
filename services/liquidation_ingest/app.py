"""Wiring of liquidation_ingest: forced-order streams to events, known ids from the topic's tail, health of the feed."""

from collections.abc import Iterable, Sequence
from functools import partial

from libs.contracts.codec import decode
from libs.contracts.market import FeedStatusChanged
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import FEEDSTATUS, LIQUIDATION
from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.feed_reports import FeedReports
from libs.exchanges.session import SessionOptions, StreamSession, brake
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.ordered import OrderedPublisher, Outgoing
from libs.streaming.publishing import publishing
from libs.streaming.records import LogReader, Record
from services.liquidation_ingest.selection import LiquidationSelection
from services.liquidation_ingest.settings import LiquidationSettings

FEED = "liquidations"
STREAM = "forced-order stream"
TAIL_RECORDS = 2000


async def main(context: ServiceContext) -> None:
    """Publish liquidations until told to stop."""
    kafka, venue_settings = load_settings(KafkaSettings), load_settings(VenueSettings)
    symbols, settings = load_settings(SymbolSettings).symbols, load_settings(LiquidationSettings)
    context.expect(KAFKA, "venue", STREAM)
    sessions: list[StreamSession] = []
    async with (
        publishing(context, kafka.kafka_bootstrap, partial(brake, sessions)) as output,
        open_venue(venue_settings) as venue,
    ):
        await first_instruments(venue, symbols)
        context.fulfil("venue")
        partitions = {symbol: partition_of(symbol, kafka.market_partitions) for symbol in symbols}
        known = await _known_ids(kafka.kafka_bootstrap, set(partitions.values()))
        selection = LiquidationSelection(symbols, known)
        # The stream of all symbols is one, whatever their number.
        size = len(symbols) if settings.all_market else settings.symbols_per_connection
        feeds: list[LiquidationFeed] = []
        for start in range(0, len(symbols), size):
            feed = LiquidationFeed(context, venue, output.publisher, selection, partitions)
            sessions.append(feed.session(symbols[start : start + size], settings))
            feeds.append(feed)
        reports = (feed.reports.run() for feed in feeds)
        await output.run(keep_clock(venue), *reports, *(session.run() for session in sessions))
        await output.drain()


async def _known_ids(bootstrap: str, partitions: Iterable[int]) -> list[str]:
    """Ids at the end of the topic, oldest first, so that a copy after a restart is recognised."""
    found: list[Record] = []
    async with LogReader(bootstrap) as log:
        for partition in partitions:
            end = await log.end(LIQUIDATION.name, partition)
            async for batch in log.range(LIQUIDATION.name, partition, max(0, end - TAIL_RECORDS), end):
                found.extend(batch)
    ids = []
    for record in found:
        try:
            ids.append(decode(record.value, record.headers, LIQUIDATION.events).event_id)
        except BadMessage:
            continue
    return ids


class LiquidationFeed:
    """The `StreamHandler` of one connection; one mark price a second is its heartbeat, since forced orders are rare."""

    def __init__(
        self,
        context: ServiceContext,
        venue: Venue,
        publisher: OrderedPublisher,
        selection: LiquidationSelection,
        partitions: dict[str, int],
    ) -> None:
        self._context = context
        self._venue = venue
        self._publisher = publisher
        self._selection = selection
        self._partitions = partitions
        self.reports = FeedReports(FEED, (), venue.clock, self._tell)

    def session(self, symbols: Sequence[str], settings: LiquidationSettings) -> StreamSession:
        """The supervised stream of these symbols."""
        self.reports = FeedReports(FEED, symbols, self._venue.clock, self._tell)
        own = () if settings.all_market else tuple(symbols)
        wanted = Subscription(forced_orders=own, every_forced_order=settings.all_market, mark_prices=tuple(symbols[:1]))
        options = SessionOptions(FEED, silence_seconds=settings.silence_seconds)
        return self._venue.streams.session(wanted, self, options)

    def on_connecting(self) -> None:
        self.reports.enter_all("starting")

    def on_lines(self, lines: frozenset[int]) -> None:
        """Copies of several lines are one event here."""

    def on_open(self) -> None:
        self._context.fulfil(STREAM)
        self.reports.enter_all("live")

    def on_batch(self, batch: StreamBatch) -> None:
        for order in batch.forced_orders:
            try:
                if not self._venue.clock.believes(order.trade_time):
                    raise BadMessage("absurd_time", f"{order.symbol[:40]} at {order.trade_time}")
                event = self._selection.select(order)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(FEED, error.reason).inc()
                get_logger(FEED).warning("a forced order cannot be read", detail=error.detail)
                continue
            if event is not None:
                # A message's own stamp may be absurd where that of its order is not.
                stamped = order.event_time if self._venue.clock.believes(order.event_time) else order.trade_time
                self.reports.seen(event.symbol, stamped)
                self._publisher.put(Outgoing(LIQUIDATION, event, event.symbol, self._partitions[event.symbol]))

    def on_close(self, reason: str, silent: bool) -> None:
        self._context.miss(STREAM, reason)
        self.reports.enter_all("silent" if silent else "down", reason)

    def _tell(self, event: FeedStatusChanged) -> None:
        self._publisher.put(Outgoing(FEEDSTATUS, event, event.symbol, self._partitions[event.symbol]))
