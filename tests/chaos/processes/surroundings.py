"""Whom executor and guard hear beside each other: the signal engine, and feeds that are always well."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from libs.contracts.codec import Encoded
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import FEEDSTATUS, SIGNAL_INDICATOR, SIGNAL_SCORED
from libs.kit.clock import SystemClock
from libs.streaming.producer import EventProducer
from tests.chaos.money.market import SYMBOLS
from tests.chaos.money.plan import Given, Plan
from tests.chaos.processes.log import FaultLog
from tests.chaos.processes.servers import PARTITIONS

TELL_SECONDS = 2.0


@asynccontextmanager
async def surroundings(bootstrap: str) -> AsyncIterator[EventProducer]:
    """A producer, and what engine and feeds say with it every two seconds."""
    producer = EventProducer(bootstrap, service="chaos", on_failure=lambda reason: None)
    await producer.start()
    task = asyncio.create_task(_tell(producer))
    try:
        yield producer
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(TimeoutError):
            await producer.stop()


async def give_signals(producer: EventProducer, plan: Plan, log: FaultLog) -> None:
    """Each at its time, in a task of its own: a broker that is away delays them all, and loses none."""
    async with asyncio.TaskGroup() as group:
        for given in plan.signals:
            group.create_task(_give(producer, given, plan.start_ms, log))


async def _give(producer: EventProducer, given: Given, start_ms: int, log: FaultLog) -> None:
    await asyncio.sleep(max(0, start_ms + given.at_ms - SystemClock().now_ms()) / 1000)
    signal = given.signal
    partition = partition_of(signal.symbol, PARTITIONS)
    await (await producer.send(SIGNAL_SCORED, signal, key=signal.symbol, partition=partition))
    log.tell("signal", id=signal.event_id, direction=signal.direction, state=signal.state)


async def _tell(producer: EventProducer) -> None:
    """Waits for the broker, so that it is not told a hundred old states after an absence."""
    while True:
        now_ms = SystemClock().now_ms()
        sent = [
            await producer.send(FEEDSTATUS, event, key=symbol, partition=partition_of(symbol, PARTITIONS))
            for symbol, event in zip(SYMBOLS, _feeds(now_ms), strict=True)
        ]
        # The guard takes any record for a sign of the engine's life.
        sent.append(await producer.send_encoded(SIGNAL_INDICATOR.name, Encoded(b"{}", []), key=None, partition=0))
        await asyncio.wait(sent)
        await asyncio.sleep(TELL_SECONDS)


def _feeds(now_ms: int) -> Sequence[Event]:
    return [
        FeedStatusChanged(
            event_id=f"{symbol}-{now_ms}",
            event_time_ms=now_ms,
            feed="trades",
            symbol=symbol,
            state="live",
            detail="",
            last_event_time_ms=now_ms,
            completeness_1h_ppm=1_000_000,
        )
        for symbol in SYMBOLS
    ]
