"""Wiring of the sequencer: one producer, one owner per partition, stand-by after being fenced out."""

import os
import socket

from libs.kit.service import ServiceContext
from libs.kit.settings import load_settings
from libs.kit.tasks import run_until
from libs.streaming.deadletter import DeadLetters
from libs.streaming.liveness import KAFKA, watch_deliveries
from libs.streaming.producer import EventProducer
from services.sequencer.owner import FencedOut, OwnerParts, PartitionOwner, wait_for_silence
from services.sequencer.settings import SequencerSettings


async def main(context: ServiceContext) -> None:
    """Sequence this process's share of the partitions until told to stop."""
    settings = load_settings(SequencerSettings)
    partitions = settings.owned()
    context.expect(KAFKA, *(f"partition {partition}" for partition in partitions))
    producer = EventProducer(settings.kafka_bootstrap, service=context.name)
    await producer.start()
    parts = OwnerParts(
        bootstrap=settings.kafka_bootstrap,
        market_partitions=settings.market_partitions,
        producer=producer,
        dead_letters=DeadLetters(producer, context.name),
        name=f"{socket.gethostname()}:{os.getpid()}",
    )
    owners = [_keep(context, parts, settings, partition) for partition in partitions]
    try:
        await run_until(context.stopping, watch_deliveries(context, producer), *owners)
    finally:
        await producer.stop(context.settings.stop_deadline_seconds / 2)


async def _keep(context: ServiceContext, parts: OwnerParts, settings: SequencerSettings, partition: int) -> None:
    """Own a partition; whoever fences last has it, the one before stands by until that log falls silent."""
    condition = f"partition {partition}"

    async def owned() -> None:
        context.fulfil(condition)

    while True:
        try:
            await PartitionOwner(parts, partition).run(owned)
        except FencedOut as fence:
            context.miss(condition, f"standing by: {fence} owns it")
            await wait_for_silence(parts.bootstrap, partition, settings.sequencer_takeover_seconds)
