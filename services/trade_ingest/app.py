"""Wiring of trade_ingest: recover from the topic, open the venue, run streams, filler and publisher until stopped."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from libs.contracts.partitioning import partition_of
from libs.exchanges import Instrument, Subscription
from libs.exchanges.session import SessionOptions, StreamSession, brake
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.publishing import Publishing, publishing
from services.trade_ingest.assembler import Assembler, AssemblerOptions
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.gapfill import FillRules, GapFiller
from services.trade_ingest.health import FEED, FeedMemory
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.positions import OpenPositions
from services.trade_ingest.resume import TopicState, read_feed_memories, read_topic_state
from services.trade_ingest.settings import IngestSettings, shard_symbols
from services.trade_ingest.silence import SilenceWatch

UNACKNOWLEDGED_FRAMES = 500
CONTINUITY = "every symbol's trades are continuous"


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups of this service."""

    kafka: KafkaSettings
    venue: VenueSettings
    symbols: tuple[str, ...]
    ingest: IngestSettings


async def main(context: ServiceContext) -> None:
    """Publish frames until told to stop."""
    kafka, ingest = load_settings(KafkaSettings), load_settings(IngestSettings)
    symbols = shard_symbols(load_settings(SymbolSettings).symbols, ingest.shard, kafka.market_partitions)
    settings = Settings(kafka, load_settings(VenueSettings), symbols, ingest)
    context.expect(KAFKA, "venue", CONTINUITY)
    sessions: list[StreamSession] = []
    bootstrap, hold_sources = settings.kafka.kafka_bootstrap, partial(brake, sessions)
    async with (
        publishing(context, bootstrap, hold_sources, max_buffered=UNACKNOWLEDGED_FRAMES) as output,
        open_venue(settings.venue) as venue,
    ):
        instruments = await first_instruments(venue, settings.symbols)
        context.fulfil("venue")
        members = _members(settings)
        state, memories = await read_topic_state(bootstrap, members), await read_feed_memories(bootstrap, members)
        await _Running(output, settings, venue, sessions).run(instruments, state, memories)


def _members(settings: Settings) -> dict[int, list[str]]:
    members: dict[int, list[str]] = {}
    for symbol in settings.symbols:
        members.setdefault(partition_of(symbol, settings.kafka.market_partitions), []).append(symbol)
    return members


class _Running:
    """One run of the service."""

    def __init__(self, output: Publishing, settings: Settings, venue: Venue, sessions: list[StreamSession]) -> None:
        self._output = output
        self._context = output.context
        self._settings = settings
        self._venue = venue
        self._sessions = sessions
        self._feeds: list[StreamFeed] = []

    async def run(self, instruments: dict[str, Instrument], state: TopicState, memories: dict[str, FeedMemory]) -> None:
        settings, venue = self._settings, self._venue
        producer_name = f"trade_ingest/{settings.ingest.shard.number}"
        origin = Origin(producer_name, state.gate.epochs.get(producer_name, -1) + 1)
        resumes = {symbol: state.resume(symbol) for symbol in settings.symbols}
        get_logger("app").info(
            "resuming", epoch=origin.epoch, last_ids={symbol: item.last_id for symbol, item in resumes.items()}
        )
        options = AssemblerOptions(settings.kafka.market_partitions)
        assembler = Assembler(instruments.values(), resumes, origin, options)
        ingest = TradeIngest(venue, assembler, self._output.publisher, instruments, origin)
        ingest.remember(memories)
        positions = OpenPositions()
        rules = FillRules(
            positions=positions.symbols,
            patience_seconds=settings.ingest.gap_patience_seconds,
            history_ms=settings.ingest.history_minutes * 60_000,
            rows_begin={
                symbol: begin for symbol in settings.symbols if (begin := state.rows_begin(symbol)) is not None
            },
        )
        filler = GapFiller(ingest, venue.market_data, venue.clock, rules)
        watch = ingest.listener = SilenceWatch(ingest, venue.market_data, venue.clock, filler.want)
        size = settings.ingest.symbols_per_connection
        for start in range(0, len(settings.symbols), size):
            self._add_session(ingest, settings.symbols[start : start + size], filler)
        sessions = [session.run() for session in self._sessions]
        try:
            await self._output.run(
                filler.run(),
                watch.run(),
                positions.follow(settings.kafka.kafka_bootstrap),
                self._tick(ingest),
                ingest.send_edges(),
                self._observe(ingest),
                keep_clock(venue),
                *sessions,
            )
        finally:
            assembler.flush()
            ingest.pump()
            await self._send_rest()

    async def _send_rest(self) -> None:
        try:
            await self._output.drain()
        except TimeoutError:
            get_logger("app").warning("stopped with unsent frames; the next start fetches them again")

    def _add_session(self, ingest: TradeIngest, symbols: Sequence[str], filler: GapFiller) -> None:
        """One connection: its symbols' trades, and one mark price a second as its heartbeat in venue time."""
        feed = StreamFeed(ingest, symbols, filler.want)
        wanted = Subscription(trades=tuple(symbols), mark_prices=(symbols[0],))
        knobs = self._settings.ingest
        options = SessionOptions(
            FEED,
            silence_seconds=knobs.silence_seconds,
            rotate_seconds=knobs.rotate_minutes * 60,
            connections=knobs.connections,
        )
        feed.session = self._venue.streams.session(wanted, feed, options)
        self._feeds.append(feed)
        self._sessions.append(feed.session)

    async def _tick(self, ingest: TradeIngest) -> None:
        while True:
            await asyncio.sleep(self._settings.ingest.flush_ms / 1000)
            for feed in self._feeds:
                feed.look()
            ingest.assembler.flush()
            ingest.pump()

    async def _observe(self, ingest: TradeIngest) -> None:
        while True:
            ingest.report_metrics()
            ingest.measure_clock()
            ingest.health.tick()
            if unsettled := ingest.unsettled:
                self._context.miss(CONTINUITY, f"waiting for {', '.join(unsettled[:5])}")
            else:
                self._context.fulfil(CONTINUITY)
            self._context.details["symbols"] = len(ingest.assembler.feeds)
            await asyncio.sleep(0.25)
