"""`python -m services.recorder.mirror`: the recorder's rows in a second database, at that database's own pace.

A process of its own, with a consumer group and positions of its own that stand in the mirror: nothing that serves the first
database waits for it, shares its memory or learns of its trouble (docs/decisions/0018-history.md).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from libs.contracts.codec import Encoded
from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.kit.errors import ConfigurationError, UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext, run_service
from libs.kit.settings import (
    DatabaseSettings,
    KafkaSettings,
    MarketSourceSettings,
    MirrorSettings,
    VenueSettings,
    load_settings,
)
from libs.store.engine import Engine, create_engine
from libs.store.market_source import claim_source
from libs.store.migrate import upgrade
from libs.store.offsets import PostgresOffsets
from libs.streaming.connection import BrokerError
from libs.streaming.consumer import BatchConsumer, ConsumerOptions
from libs.streaming.deadletter import DeadLetters
from libs.streaming.records import LogReader
from services.recorder.app import TOPICS
from services.recorder.settings import RecorderSettings
from services.recorder.writing import Recorder

GROUP = "recorder-mirror"
NAMED = "PERPSTREAM_MIRROR_DATABASE_URL"
RUNNING = "running"
_LONGEST_PAUSE_SECONDS = 30.0
_REPORT_SECONDS = 1.0


class Unheard:
    """A `Publisher` that keeps everything to itself: alerts and dead letters are the first recorder's to send."""

    async def send(
        self, topic: Topic, event: Event, *, key: str, partition: int, headers: Sequence[tuple[str, bytes]] = ()
    ) -> "asyncio.Future[int]":
        """Take the event and forget it."""
        return _sent()

    async def send_encoded(
        self, topic_name: str, encoded: Encoded, *, key: bytes | None, partition: int
    ) -> "asyncio.Future[int]":
        """Take the bytes and forget them."""
        return _sent()

    async def flush(self) -> None:
        """Nothing waits."""


def _sent() -> "asyncio.Future[int]":
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    done.set_result(-1)
    return done


async def main(context: ServiceContext) -> None:
    """Mirror until the service is stopped.

    It is ready as soon as it runs, whatever its database does: a start of the stack does not wait for a mirror either. Raises
    `ConfigurationError` for settings that cannot be right, and for nothing that a database can do.
    """
    engine = create_engine(_database(), application="perpstream mirror", where=NAMED)
    context.expect(RUNNING)
    context.fulfil(RUNNING)
    pause = 1.0
    try:
        while not context.stopping.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await _mirror(context, engine)
            except UserError as error:
                context.details["waiting_for"] = str(error.advice)
                get_logger("mirror").warning("the mirror waits", why=str(error.advice), after_seconds=pause)
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_SECONDS:
                pause = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(context.stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    finally:
        await engine.dispose()


def _database() -> DatabaseSettings:
    settings = load_settings(MirrorSettings).database()
    if settings is None:
        raise ConfigurationError("no mirror is named", where=NAMED, todo="set it, or do not start this process")
    return settings


async def _mirror(context: ServiceContext, engine: Engine) -> None:
    """Bring the schema up to date, then record as the recorder does. Raises `UserError` when the database or broker is away."""
    await upgrade(engine)
    market = load_settings(MarketSourceSettings).market_source
    if market is not None:
        await claim_source(engine, market)
    kafka, settings = load_settings(KafkaSettings), load_settings(RecorderSettings)
    unheard = Unheard()
    real_time = load_settings(VenueSettings).venue_speed == 1.0
    recorder = Recorder(kafka.kafka_bootstrap, engine, unheard, DeadLetters(unheard, GROUP), real_time)
    options = ConsumerOptions(collect_ms=settings.recorder_collect_ms, max_records=settings.recorder_batch_records)
    consumer = BatchConsumer(kafka.kafka_bootstrap, GROUP, TOPICS, PostgresOffsets(engine), recorder.handle, options)
    telling = asyncio.ensure_future(_tell(context, consumer))
    try:
        await consumer.run(context.stopping)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell(context: ServiceContext, consumer: BatchConsumer) -> None:
    """How far behind we are, once a second, on /readyz. Never returns."""
    while True:
        with suppress(UserError, BrokerError):
            async with LogReader(consumer.bootstrap) as log:
                while True:
                    positions = consumer.positions().items()
                    behind = [max(0, await log.end(*place) - position) for place, position in positions]
                    context.details["lag_records"] = sum(behind)
                    context.details["waiting_for"] = consumer.waiting_for
                    await asyncio.sleep(_REPORT_SECONDS)
        await asyncio.sleep(_REPORT_SECONDS)


if __name__ == "__main__":
    run_service("recorder_mirror", main)
