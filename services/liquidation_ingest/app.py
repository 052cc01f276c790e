"""Wiring of liquidation_ingest: forced-order streams to events, known ids from the topic's tail, health of the feed."""

from collections.abc import Iterable

from libs.contracts.codec import decode
from libs.contracts.topics import LIQUIDATION, SYMBOL_CONTROL
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import first_instruments, keep_clock, open_venue
from libs.kit.errors import BadMessage
from libs.kit.service import ServiceContext
from libs.kit.settings import KafkaSettings, SymbolSettings, VenueSettings, load_settings
from libs.streaming.liveness import KAFKA
from libs.streaming.publishing import publishing
from libs.streaming.records import LogReader, Record
from libs.streaming.symbols import SymbolControl
from services.liquidation_ingest.feed import STREAM, Channel, Membership
from services.liquidation_ingest.settings import LiquidationSettings

TAIL_RECORDS = 2000


async def main(context: ServiceContext) -> None:
    """Publish liquidations until told to stop."""
    kafka, venue_settings = load_settings(KafkaSettings), load_settings(VenueSettings)
    configured, settings = load_settings(SymbolSettings).symbols, load_settings(LiquidationSettings)
    context.expect(KAFKA, "venue", STREAM)
    sessions = SessionGroup()
    async with (
        publishing(context, kafka.kafka_bootstrap, sessions.hold) as output,
        open_venue(venue_settings) as venue,
    ):
        control = SymbolControl(kafka.kafka_bootstrap, SYMBOL_CONTROL, configured)
        symbols = await first_instruments(venue, await control.at_start(), configured)
        context.fulfil("venue")
        # Of every partition: a symbol may come to any while we run.
        known = await _known_ids(kafka.kafka_bootstrap, range(kafka.market_partitions))
        channel = Channel(context, venue, output.publisher, LiquidationSelection((), known), kafka.market_partitions)
        members = Membership(channel, settings, sessions)
        members.take(tuple(symbols))
        await output.run(keep_clock(venue), sessions.run(), control.follow(members))
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
