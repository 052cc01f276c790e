"""Symbols that are added and removed while the ingest runs: each begins as at a start, and nothing else is disturbed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libs.contracts.partitioning import partition_of
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.venue import Venue, known_instruments
from libs.kit.errors import TryAgain
from libs.streaming.ordered import OrderedPublisher
from services.trade_ingest.gapfill import GapFiller
from services.trade_ingest.health import FeedMemory
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.resume import read_feed_memories, read_topic_state
from services.trade_ingest.settings import ShardOf, has_symbol
from services.trade_ingest.streams import Streams

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which topics is ours."""

    bootstrap: str
    partitions: int
    shard: ShardOf

    def ours(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """Those of the symbols that this process ingests."""
        return tuple(symbol for symbol in symbols if has_symbol(self.shard, symbol, self.partitions))

    def members(self, symbols: Iterable[str]) -> dict[int, list[str]]:
        """The symbols by partition."""
        members: dict[int, list[str]] = {}
        for symbol in symbols:
            members.setdefault(partition_of(symbol, self.partitions), []).append(symbol)
        return members

    def owned(self, symbols: Iterable[str]) -> dict[int, list[str]]:
        """Every partition of ours, also those without a symbol: a symbol may come to any, and the epoch of this process must be
        newer than what stands there."""
        mine = range(self.shard.number, self.partitions, self.shard.of)
        return {partition: list[str]() for partition in mine} | self.members(symbols)


@dataclass(frozen=True, slots=True)
class Membership:
    """The `Members` of this service."""

    place: Place
    venue: Venue
    publisher: OrderedPublisher
    ingest: TradeIngest
    filler: GapFiller
    streams: Streams

    async def add(self, symbols: Sequence[str]) -> None:
        mine = [symbol for symbol in self.place.ours(symbols) if symbol not in self.ingest.assembler.feeds]
        if not mine:
            return
        asking = self.venue.market_data.at(Priority.GAPS, PATIENCE_SECONDS)
        try:
            instruments = await known_instruments(asking, mine)
        except VenueError as error:
            raise TryAgain(f"the venue does not answer: {error}", PATIENCE_SECONDS) from None
        if not instruments:
            return
        await self.publisher.settled()  # what is on its way may be a removed symbol's last trades
        state = await read_topic_state(self.place.bootstrap, self.place.members(instruments))
        # A symbol without a row has said nothing of itself, and looking for that would mean reading days.
        known = self.place.members(symbol for symbol in instruments if state.knows(symbol))
        memories = await read_feed_memories(self.place.bootstrap, known, state.holes)
        for symbol, instrument in instruments.items():
            if (begin_ms := state.rows_begin(symbol)) is not None:
                self.filler.owes(symbol, begin_ms)
            self.ingest.add(instrument, state.resume(symbol), memories.get(symbol, FeedMemory()))
        self.streams.open(tuple(instruments))

    async def remove(self, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            if (feed := self.ingest.assembler.feeds.get(symbol)) is not None:
                await self.streams.leave(symbol)
                self.ingest.remove(symbol)
                self.filler.forget(feed)
