"""Wiring of trade_ingest: recover from the topic, open the venue, run streams, filler and publisher until stopped."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from libs.contracts.topics import SYMBOL_CONTROL
from libs.exchanges import Instrument
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.publishing import Publishing, publishing
from libs.streaming.symbols import SymbolControl
from services.trade_ingest.assembler import Assembler, AssemblerOptions
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.gapfill import FillRules, GapFiller
from services.trade_ingest.health import FeedMemory
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.membership import Membership, Place
from services.trade_ingest.positions import OpenPositions
from services.trade_ingest.resume import TopicState, read_feed_memories, read_topic_state
from services.trade_ingest.settings import IngestSettings, shard_symbols
from services.trade_ingest.silence import SilenceWatch
from services.trade_ingest.streams import Streams

UNACKNOWLEDGED_FRAMES = 500
CONTINUITY = "every symbol's trades are continuous"


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups of this service."""

    place: Place
    venue: VenueSettings
    ingest: IngestSettings


async def main(context: ServiceContext) -> None:
    """Publish frames until told to stop."""
    kafka, ingest = load_settings(KafkaSettings), load_settings(IngestSettings)
    configured = load_settings(SymbolSettings).symbols
    shard_symbols(configured, ingest.shard, kafka.market_partitions)
    place = Place(kafka.kafka_bootstrap, kafka.market_partitions, ingest.shard)
    settings = Settings(place, load_settings(VenueSettings), ingest)
    context.expect(KAFKA, "venue", CONTINUITY)
    sessions = SessionGroup()
    async with (
        publishing(context, place.bootstrap, sessions.hold, max_buffered=UNACKNOWLEDGED_FRAMES) as output,
        open_venue(settings.venue) as venue,
    ):
        control = SymbolControl(place.bootstrap, SYMBOL_CONTROL, configured)
        symbols = place.ours(await control.at_start())
        instruments = await first_instruments(venue, symbols, configured)
        context.fulfil("venue")
        members = place.owned(instruments)
        state = await read_topic_state(place.bootstrap, members)
        memories = await read_feed_memories(place.bootstrap, place.members(instruments), state.holes)
        await _Running(output, settings, venue, sessions).run(control, instruments, state, memories)


class _Running:
    """One run of the service."""

    def __init__(self, output: Publishing, settings: Settings, venue: Venue, sessions: SessionGroup) -> None:
        self._output = output
        self._context = output.context
        self._settings = settings
        self._venue = venue
        self._sessions = sessions

    async def run(
        self,
        control: SymbolControl,
        instruments: dict[str, Instrument],
        state: TopicState,
        memories: dict[str, FeedMemory],
    ) -> None:
        settings, venue, publisher = self._settings, self._venue, self._output.publisher
        producer_name = f"trade_ingest/{settings.ingest.shard.number}"
        origin = Origin(producer_name, state.gate.epochs.get(producer_name, -1) + 1)
        resumes = {symbol: state.resume(symbol) for symbol in instruments}
        get_logger("app").info(
            "resuming", epoch=origin.epoch, last_ids={symbol: item.last_id for symbol, item in resumes.items()}
        )
        options = AssemblerOptions(settings.place.partitions)
        assembler = Assembler(instruments.values(), resumes, origin, options)
        ingest = TradeIngest(venue, assembler, publisher, instruments, memories)
        positions = OpenPositions()
        filler = GapFiller(ingest, venue.market_data, venue.clock, self._rules(state, instruments, positions))
        watch = ingest.listener = SilenceWatch(ingest, venue.market_data, venue.clock, filler.want)
        streams = Streams(ingest, venue, settings.ingest, filler.want, self._sessions)
        streams.open(tuple(instruments))
        try:
            await self._output.run(
                filler.run(),
                watch.run(),
                positions.follow(settings.place.bootstrap),
                self._tick(ingest, streams),
                ingest.send_edges(),
                self._observe(ingest),
                keep_clock(venue),
                self._sessions.run(),
                control.follow(Membership(settings.place, venue, publisher, ingest, filler, streams)),
            )
        finally:
            ingest.ended()
            assembler.flush()
            ingest.pump()
            await self._send_rest()

    def _rules(self, state: TopicState, symbols: Iterable[str], positions: OpenPositions) -> FillRules:
        begins = {symbol: state.rows_begin(symbol) for symbol in symbols}
        return FillRules(
            positions=positions.symbols,
            patience_seconds=self._settings.ingest.gap_patience_seconds,
            history_ms=self._settings.ingest.history_minutes * 60_000,
            rows_begin={symbol: begin for symbol, begin in begins.items() if begin is not None},
        )

    async def _send_rest(self) -> None:
        try:
            await self._output.drain()
        except TimeoutError:
            get_logger("app").warning("stopped with unsent frames; the next start fetches them again")

    async def _tick(self, ingest: TradeIngest, streams: Streams) -> None:
        while True:
            await asyncio.sleep(self._settings.ingest.flush_ms / 1000)
            streams.look()
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
