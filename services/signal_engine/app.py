"""Wiring of the signal engine: Faust delivers the timeline, the core decides, one producer sends, PostgreSQL keeps states."""

import asyncio
import gc

from libs.contracts.topics import TIMELINE
from libs.indicators.kernel import warm_up
from libs.indicators.settings import KernelSettings
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, load_settings
from libs.store.engine import create_engine
from libs.store.snapshots import PostgresSnapshots, Snapshot, SnapshotKey
from libs.streaming.deadletter import DeadLetters
from libs.streaming.faust_app import WorkerSettings, build_worker
from libs.streaming.generation import log_generation
from libs.streaming.producer import EventProducer
from services.signal_engine.agents import Worker
from services.signal_engine.outbox import Outbox
from services.signal_engine.recovery import RecoveryParts, code_version
from services.signal_engine.settings import EngineSettings


class DatabaseSnapshots:
    """The engine's snapshots of one log and one version of the code."""

    def __init__(self, store: PostgresSnapshots, service: str, generation: str, version: str) -> None:
        self._store, self._service, self._generation, self._version = store, service, generation, version

    def _key(self, partition: int) -> SnapshotKey:
        return SnapshotKey(self._service, partition, self._generation, self._version)

    async def load(self, partition: int) -> Snapshot | None:
        """The partition's latest state of this log and code."""
        return await self._store.load(self._key(partition))

    async def save(self, partition: int, next_offset: int, state: bytes) -> None:
        """Keep a state unless a newer one stands there."""
        await self._store.save(self._key(partition), Snapshot(next_offset, state))


async def main(context: ServiceContext) -> None:
    """Evaluate this worker's partitions until told to stop."""
    settings, database = load_settings(EngineSettings), load_settings(DatabaseSettings)
    context.expect("assigned and replayed")
    kernel = KernelSettings.for_evaluation(settings.engine_evaluation_ms)
    get_logger("signal_engine").info("engine starts", evaluation_ms=kernel.evaluation_ms)
    await asyncio.to_thread(warm_up, kernel)
    # What is loaded by now stays for good: a full collection that looks at it again stops the stream for 140 ms.
    gc.freeze()
    get_logger("signal_engine").info("engine ready")
    producer = EventProducer(settings.kafka_bootstrap, service=context.name)
    await producer.start()
    generation = await log_generation(settings.kafka_bootstrap, TIMELINE.name)
    engine = create_engine(database)
    store = PostgresSnapshots(engine)
    snapshots = DatabaseSnapshots(store, settings.engine_group, generation, code_version(kernel))
    worker = Worker(
        context,
        Outbox(producer),
        DeadLetters(producer, context.name),
        RecoveryParts(settings.kafka_bootstrap, kernel, snapshots),
    )
    faust = build_worker(
        WorkerSettings(
            bootstrap=settings.kafka_bootstrap,
            group=settings.engine_group,
            topic=TIMELINE.name,
            instance_id=settings.engine_instance_id,
            session_timeout_seconds=settings.engine_session_timeout_seconds,
            offset_reset="latest",
        ),
        worker.process,
        worker.on_assigned,
        worker.on_revoked,
        worker.dead_letters,
    )
    beside = [
        asyncio.create_task(worker.keep_all(settings.engine_snapshot_seconds)),
        asyncio.create_task(worker.watch_flow()),
    ]
    try:
        await faust.run(context.stopping)
    finally:
        for task in beside:
            task.cancel()
        for partition in sorted(worker.cores):
            await worker.keep(partition)
        await producer.stop(context.settings.stop_deadline_seconds / 4)
        await engine.dispose()
