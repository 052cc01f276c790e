"""Connections and the symbols that each brings; symbols come and go while the service runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.contracts.market import FeedStatusChanged
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import FEEDSTATUS, LIQUIDATION
from libs.exchanges import StreamBatch, Subscription
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.feed_reports import FeedReports
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.session import SessionOptions, StreamSession
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue, known_instruments
from libs.kit.errors import BadMessage, TryAgain
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.kit.service import ServiceContext
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.liquidation_ingest.settings import LiquidationSettings

FEED = "liquidations"
STREAM = "forced-order stream"
NOT_YET = "not open yet"
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Channel:
    """What all connections share: the venue, the way to Kafka, and what was published already."""

    context: ServiceContext
    venue: Venue
    publisher: OrderedPublisher
    selection: LiquidationSelection
    market_partitions: int

    def partition(self, symbol: str) -> int:
        """Where the symbol's events go."""
        return partition_of(symbol, self.market_partitions)


class LiquidationFeed:
    """The `StreamHandler` of one connection; one mark price a second is its heartbeat, since forced orders are rare.

    `trouble`: why the stream is not open, None while it is.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.reports = FeedReports(FEED, (), channel.venue.clock, self._tell)
        self.trouble: str | None = NOT_YET
        self._open = False

    def session(self, symbols: Sequence[str], settings: LiquidationSettings) -> StreamSession:
        """The supervised stream of these symbols."""
        for symbol in symbols:
            self.join(symbol)
        own = () if settings.all_market else tuple(symbols)
        wanted = Subscription(forced_orders=own, every_forced_order=settings.all_market, mark_prices=tuple(symbols[:1]))
        options = SessionOptions(FEED, silence_seconds=settings.silence_seconds)
        return self._channel.venue.streams.session(wanted, self, options)

    def join(self, symbol: str) -> None:
        """One more symbol, of a stream that carries it."""
        self.reports.join(symbol)
        self._channel.selection.add(symbol)
        if self._open:
            self.reports.enter(symbol, "live")

    def leave(self, symbol: str) -> None:
        """The symbol is not followed any more, whatever the connection goes on bringing."""
        self.reports.leave(symbol)
        self._channel.selection.remove(symbol)

    def on_connecting(self) -> None:
        self.reports.enter_all("starting")

    def on_lines(self, lines: frozenset[int]) -> None:
        """Copies of several lines are one event here."""

    def on_open(self) -> None:
        self.trouble, self._open = None, True
        self._channel.context.fulfil(STREAM)
        self.reports.enter_all("live")

    def on_batch(self, batch: StreamBatch) -> None:
        for order in batch.forced_orders:
            if order.symbol not in self.reports.symbols:
                continue
            try:
                if not self._channel.venue.clock.believes(order.trade_time):
                    raise BadMessage("absurd_time", f"{order.symbol[:40]} at {order.trade_time}")
                event = self._channel.selection.select(order)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(FEED, error.reason).inc()
                get_logger(FEED).warning("a forced order cannot be read", detail=error.detail)
                continue
            if event is not None:
                # A message's own stamp may be absurd where that of its order is not.
                believed = self._channel.venue.clock.believes(order.event_time)
                self.reports.seen(event.symbol, order.event_time if believed else order.trade_time)
                partition = self._channel.partition(event.symbol)
                self._channel.publisher.put(Outgoing(LIQUIDATION, event, event.symbol, partition))

    def on_close(self, reason: str, silent: bool) -> None:
        self.trouble, self._open = reason, False
        self._channel.context.miss(STREAM, reason)
        self.reports.enter_all("silent" if silent else "down", reason)

    def _tell(self, event: FeedStatusChanged) -> None:
        partition = self._channel.partition(event.symbol)
        self._channel.publisher.put(Outgoing(FEEDSTATUS, event, event.symbol, partition))


@dataclass(slots=True)
class Membership:
    """The `Members` of this service: an added symbol has a connection of its own, unless one brings the whole market."""

    channel: Channel
    settings: LiquidationSettings
    sessions: SessionGroup
    feeds: dict[LiquidationFeed, StreamSession] = field(default_factory=dict)

    def take(self, symbols: Sequence[str]) -> None:
        """Open connections for these symbols."""
        # The stream of all symbols is one, whatever their number.
        size = len(symbols) if self.settings.all_market else self.settings.symbols_per_connection
        for start in range(0, len(symbols), max(size, 1)):
            feed = LiquidationFeed(self.channel)
            self.feeds[feed] = feed.session(symbols[start : start + size], self.settings)
            self.sessions.add(self.feeds[feed], feed.reports.run)

    async def add(self, symbols: Sequence[str]) -> None:
        asking = self.channel.venue.market_data.at(Priority.GAPS, PATIENCE_SECONDS)
        try:
            instruments = await known_instruments(asking, symbols)
        except VenueError as error:
            raise TryAgain(f"the venue does not answer: {error}", PATIENCE_SECONDS) from None
        if self.settings.all_market and self.feeds:
            for symbol in instruments:
                next(iter(self.feeds)).join(symbol)
        else:
            self.take(tuple(instruments))

    async def remove(self, symbols: Sequence[str]) -> None:
        for feed in tuple(self.feeds):
            for symbol in [symbol for symbol in symbols if symbol in feed.reports.symbols]:
                feed.leave(symbol)
            if not feed.reports.symbols:
                await self.sessions.close(self.feeds.pop(feed))
        troubles = [feed.trouble for feed in self.feeds if feed.trouble is not None]
        if troubles:
            self.channel.context.miss(STREAM, troubles[0])
        else:
            self.channel.context.fulfil(STREAM)
