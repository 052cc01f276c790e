"""Wiring of the sequencer: one producer, one owner per partition, stand-by after being fenced out."""

import asyncio
import os
import socket

from libs.kit.service import ServiceContext
from libs.kit.settings import load_settings
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from services.sequencer.owner import FencedOut, OwnerParts, PartitionOwner, wait_for_silence
from services.sequencer.settings import SequencerSettings


async def main(context: ServiceContext) -> None:
    """Sequence this process's share of the partitions until told to stop."""
    settings = load_settings(SequencerSettings)
    partitions = settings.owned()
    context.expect(*(f"partition {partition}" for partition in partitions))
    producer = EventProducer(settings.kafka_bootstrap, service=context.name)
    await producer.start()
    parts = OwnerParts(
        bootstrap=settings.kafka_bootstrap,
        market_partitions=settings.market_partitions,
        producer=producer,
        dead_letters=DeadLetters(producer, context.name),
        name=f"{socket.gethostname()}:{os.getpid()}",
    )
    owners = [asyncio.create_task(_keep(context, parts, settings, partition)) for partition in partitions]
    stopping = asyncio.create_task(context.stopping.wait())
    try:
        done, _ = await asyncio.wait((stopping, *owners), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (stopping, *owners):
            task.cancel()
        await asyncio.gather(stopping, *owners, return_exceptions=True)
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
