"""What runs beside the recording: partitions kept ahead, and whether we have caught up with the logs."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from libs.contracts.topics import TIMELINE
from libs.kit.clock import Clock
from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.store.engine import Engine, write_session
from libs.store.partitions import create_partitions, months_ahead
from libs.streaming.connection import BrokerError
from libs.streaming.consumer import BatchConsumer
from libs.streaming.records import LogReader

ASSIGNED = "assigned"
CAUGHT_UP = "caught up"
PARTITIONS = "partitions ahead"
FLOWING = "the timeline is being written"
WRITING = "rows are being written"
_PARTITION_CHECK_SECONDS = 3600.0
_PARTITION_RETRY_SECONDS = 10.0
_LAG_CHECK_SECONDS = 1.0
# Records behind the end: above the first figure the tables are not current, below the second they are again.
_FALLEN_BEHIND = 5000
_CURRENT = 500
# The timeline has a heartbeat a second: a position that stands for this long means that sequencer, broker or database hangs.
_STILL_SECONDS = 10.0


@dataclass(slots=True)
class Progress:
    """Since when (monotonic seconds) each timeline partition's position stands where it is."""

    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)

    def stuck(self, positions: Mapping[tuple[str, int], int], now: float) -> dict[int, float]:
        """The seconds for which partitions have stood still longer than a heartbeat can explain."""
        mine = {partition: at for (topic, partition), at in positions.items() if topic == TIMELINE.name}
        self._moved = {
            partition: known if (known := self._moved.get(partition)) and known[0] == at else (at, now)
            for partition, at in mine.items()
        }
        return {partition: now - since for partition, (_, since) in self._moved.items() if now - since > _STILL_SECONDS}


async def keep_partitions_ahead(context: ServiceContext, engine: Engine, clock: Clock) -> None:
    """Make the partitions of this month and the next two, at once and every hour. Never returns."""
    while True:
        pause = _PARTITION_CHECK_SECONDS
        try:
            async with write_session(engine) as session:
                made = await create_partitions(session, months_ahead(clock.now_ms()))
            if made:
                get_logger("recorder").info("partitions made", names=made)
            context.fulfil(PARTITIONS)
        except UserError as error:
            # The months at hand exist for weeks already; a database that is away is the writers' concern.
            context.miss(PARTITIONS, str(error.advice))
            pause = _PARTITION_RETRY_SECONDS
        await asyncio.sleep(pause)


async def watch_readiness(context: ServiceContext, consumer: BatchConsumer) -> None:
    """Say once a second whether partitions are assigned, read up to their ends, and moving. Never returns."""
    await asyncio.gather(_watch_lag(context, consumer), _watch_flow(context, consumer))


async def _watch_flow(context: ServiceContext, consumer: BatchConsumer) -> None:
    """Asks nobody, because a broker that hangs does not even refuse."""
    progress = Progress()
    while True:
        say_flow(context, progress.stuck(consumer.positions(), time.monotonic()), consumer.waiting_for)
        await asyncio.sleep(_LAG_CHECK_SECONDS)


def say_flow(context: ServiceContext, stuck: Mapping[int, float], waiting_for: str | None) -> None:
    """Name what holds up the partitions that stand still: a batch that waits tells nothing about the timeline behind it."""
    what = f"nothing recorded for {max(stuck.values()):.0f} s from partitions {sorted(stuck)}" if stuck else ""
    if stuck and waiting_for is not None:
        context.fulfil(FLOWING)
        context.miss(WRITING, f"{waiting_for}; {what}")
        return
    context.fulfil(WRITING)
    if stuck:
        context.miss(FLOWING, what)
    else:
        context.fulfil(FLOWING)


async def _watch_lag(context: ServiceContext, consumer: BatchConsumer) -> None:
    while True:
        with suppress(UserError, BrokerError):
            async with LogReader(consumer.bootstrap) as log:
                while True:
                    await _check(context, consumer, log)
                    await asyncio.sleep(_LAG_CHECK_SECONDS)
        context.miss(CAUGHT_UP, "Kafka does not answer")
        await asyncio.sleep(_LAG_CHECK_SECONDS)


async def _check(context: ServiceContext, consumer: BatchConsumer, log: LogReader) -> None:
    if not consumer.assigned.is_set():
        context.miss(ASSIGNED, "no partition is ours")
        return
    context.fulfil(ASSIGNED)
    positions = consumer.positions()
    lag = 0
    for (topic, partition), position in positions.items():
        lag += max(0, await log.end(topic, partition) - position)
    context.details["lag_records"] = lag
    context.details["partitions"] = len(positions)
    caught_up = context.conditions.get(CAUGHT_UP, "not yet") is None
    if lag <= _CURRENT or (caught_up and lag <= _FALLEN_BEHIND):
        context.fulfil(CAUGHT_UP)
    else:
        context.miss(CAUGHT_UP, f"{lag} records behind")


async def first_of(*work: Coroutine[object, object, None]) -> None:
    """Run all until one of them ends, then cancel the others; raises what the one raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
