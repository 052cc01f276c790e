"""Wiring: settings, database, producer for dead letters and alerts, consumer with its positions in PostgreSQL."""

from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, TIMELINE
from libs.kit.clock import SystemClock
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, KafkaSettings, VenueSettings, load_settings
from libs.store.engine import check_reachable, create_engine
from libs.store.offsets import PostgresOffsets
from libs.store.schema_version import require_current
from libs.streaming.consumer import BatchConsumer, ConsumerOptions
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import EventProducer
from services.recorder.settings import RecorderSettings
from services.recorder.upkeep import ASSIGNED, CAUGHT_UP, PARTITIONS, first_of, keep_partitions_ahead, watch_readiness
from services.recorder.writing import Recorder

GROUP = "recorder"
TOPICS = (TIMELINE.name, SIGNAL_INDICATOR.name, SIGNAL_SCORED.name)


async def main(context: ServiceContext) -> None:
    """Record until the service is stopped. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    kafka, database = load_settings(KafkaSettings), load_settings(DatabaseSettings)
    settings = load_settings(RecorderSettings)
    context.expect(ASSIGNED, CAUGHT_UP, PARTITIONS)
    engine = create_engine(database, application="perpstream recorder")
    producer = EventProducer(kafka.kafka_bootstrap, service=GROUP)
    try:
        await check_reachable(engine)
        await require_current(engine)
        await producer.start()
        real_time = load_settings(VenueSettings).venue_speed == 1.0
        recorder = Recorder(kafka.kafka_bootstrap, engine, producer, DeadLetters(producer, GROUP), real_time)
        consumer = BatchConsumer(
            kafka.kafka_bootstrap,
            GROUP,
            TOPICS,
            PostgresOffsets(engine),
            recorder.handle,
            ConsumerOptions(
                instance_id=settings.recorder_instance,
                collect_ms=settings.recorder_collect_ms,
                max_records=settings.recorder_batch_records,
            ),
        )
        await first_of(
            consumer.run(context.stopping),
            keep_partitions_ahead(context, engine, SystemClock()),
            watch_readiness(context, consumer),
        )
    finally:
        await producer.stop()
        await engine.dispose()
