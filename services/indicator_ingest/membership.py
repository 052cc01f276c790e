"""Symbols that are added and removed while the service runs: each begins as at a start, its history too."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.partitioning import partition_of
from libs.exchanges import Instrument
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.mark_prices import MarkPriceSampler
from libs.exchanges.session import StreamSession
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue, known_instruments
from libs.kit.errors import TryAgain
from libs.kit.metrics import gauge
from libs.kit.service import ServiceContext
from services.indicator_ingest.backfill import Backfill
from services.indicator_ingest.mark_prices import FEED, STREAM, MarkPriceFeed
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poller
from services.indicator_ingest.settings import IndicatorSettings

PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class MarkPrices:
    """The mark price connections: an added symbol has one of its own, until the next start."""

    context: ServiceContext
    venue: Venue
    outlet: Outlet
    sampler: MarkPriceSampler
    settings: IndicatorSettings
    sessions: SessionGroup
    feeds: dict[MarkPriceFeed, StreamSession] = field(default_factory=dict)

    def open(self, symbols: Sequence[str]) -> None:
        """Connections for these symbols."""
        size = self.settings.symbols_per_connection
        for start in range(0, len(symbols), size):
            feed = MarkPriceFeed(self.context, self.venue, self.outlet, self.sampler)
            self.feeds[feed] = feed.session(symbols[start : start + size], self.settings.silence_seconds)
            self.sessions.add(self.feeds[feed], feed.reports.run)

    async def leave(self, symbol: str) -> None:
        """The symbol is followed no more; a connection without any is closed."""
        for feed in [feed for feed in self.feeds if symbol in feed.reports.symbols]:
            feed.release()
            feed.reports.leave(symbol)
            gauge("perpstream_feed_age_seconds").remove(FEED, symbol)
            if not feed.reports.symbols:
                await self.sessions.close(self.feeds.pop(feed))
        troubles = [feed.trouble for feed in self.feeds if feed.trouble is not None]
        if troubles:
            self.context.miss(STREAM, troubles[0])
        else:
            self.context.fulfil(STREAM)

    def release(self) -> None:
        """See `MarkPriceFeed.release`."""
        for feed in self.feeds:
            feed.release()


@dataclass(slots=True)
class FirstRounds:
    """First rounds of symbols that come while the service runs, beside everything else: a question may wait for the end of a
    ban, and who has asked for the symbol may want to be rid of it before."""

    pollers: Sequence[Poller]
    partitions: Mapping[str, int]
    backfill: Backfill
    _come: asyncio.Queue[tuple[str, ...]] = field(default_factory=asyncio.Queue)

    def begin(self, symbols: Sequence[str]) -> None:
        """Follow these from now on, and ask for them soon."""
        for poller in self.pollers:
            poller.follow(symbols)
        self._come.put_nowait(tuple(symbols))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            while True:
                rounds.create_task(self._round(await self._come.get()))

    async def _round(self, symbols: Sequence[str]) -> None:
        followed = [symbol for symbol in symbols if symbol in self.partitions]
        await asyncio.gather(*(poller.begin(followed) for poller in self.pollers))
        self.backfill.more.set()


@dataclass(frozen=True, slots=True)
class Membership:
    """The `Members` of this service. `instruments` is what the polls look into."""

    market_partitions: int
    instruments: dict[str, Instrument]
    rounds: FirstRounds
    marks: MarkPrices

    async def add(self, symbols: Sequence[str]) -> None:
        asking = self.marks.venue.market_data.at(Priority.GAPS, PATIENCE_SECONDS)
        try:
            found = await known_instruments(asking, symbols)
        except VenueError as error:
            raise TryAgain(f"the venue does not answer: {error}", PATIENCE_SECONDS) from None
        if not found:
            return
        self.instruments.update(found)
        for symbol in found:
            self.marks.outlet.partitions[symbol] = partition_of(symbol, self.market_partitions)
        self.marks.open(tuple(found))
        self.rounds.begin(tuple(found))

    async def remove(self, symbols: Sequence[str]) -> None:
        for symbol in [symbol for symbol in symbols if symbol in self.marks.outlet.partitions]:
            await self.marks.leave(symbol)
            for poller in self.rounds.pollers:
                poller.end(symbol)
            del self.marks.outlet.partitions[symbol]
