"""The guard's broker: a connection that comes and goes in the background, and that nothing of the guard waits for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from libs.contracts.codec import decode
from libs.contracts.commands import CommandIssued
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import COMMAND, EXECUTOR, FEEDSTATUS, SIGNAL_INDICATOR, TRADE, Topic
from libs.contracts.trading import ExecutorReported, LiveTradeChanged
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.kit.tasks import run_all
from libs.streaming.connection import BrokerError
from libs.streaming.deadletter import DeadLetters
from libs.streaming.follower import Follower
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record, log_generations
from services.risk_guard.outlet import GuardOutlet

NAME = "risk_guard"
AGAIN_SECONDS = 2.0
POLL_MS = 200
EXECUTOR_BACK = 20
TOPICS: tuple[Topic, ...] = (COMMAND, TRADE, EXECUTOR, FEEDSTATUS, SIGNAL_INDICATOR)
Place = tuple[str, int]


class Hearer(Protocol):
    """Who hears what others say; `place`: a topic's name and generation, and the offset of its next record."""

    def on_executor(self, report: ExecutorReported) -> None: ...
    def on_trade(self, trade: LiveTradeChanged, place: Place | None = None) -> None: ...
    def on_feed(self, report: FeedStatusChanged) -> None: ...
    def on_engine(self) -> None: ...
    def on_command(self, event: CommandIssued, place: Place | None = None) -> None: ...
    def on_unreadable_command(self, why: str, place: Place | None = None) -> None: ...


@dataclass(slots=True)
class Bus:
    """`offsets` says where reading goes on, by a topic's name and generation; `on_state(None)`: it is connected, else why not."""

    bootstrap: str
    hearer: Hearer
    outlet: GuardOutlet
    offsets: Callable[[], Mapping[str, int]]
    on_state: Callable[[str | None], None]
    topics: Sequence[Topic] = TOPICS
    _broken: asyncio.Event = field(default_factory=asyncio.Event)
    _names: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Connect again and again until cancelled; raises nothing of the broker."""
        while True:
            try:
                await self._connected()
            except (UserError, BrokerError, OSError, TimeoutError, ConnectionError) as error:
                get_logger("bus").warning("no broker: the guard goes on without", error=str(error))
                self.on_state(str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _connected(self) -> None:
        self._broken.clear()
        producer = EventProducer(self.bootstrap, service=NAME, on_failure=lambda reason: self._broken.set())
        await producer.start()
        try:
            await run_all(self.outlet.run(producer), self._read(DeadLetters(producer, NAME)), self._until_broken())
        finally:
            with suppress(TimeoutError, BrokerError, OSError):
                await producer.stop(1.0)

    async def _until_broken(self) -> None:
        await self._broken.wait()
        raise ConnectionError("a record could not be delivered")

    async def _read(self, letters: DeadLetters) -> None:
        """Trades first: until all of them are known no figure of the executor's says anything."""
        generations = await log_generations(self.bootstrap, [topic.name for topic in self.topics])
        self._names = {name: f"{name} {generation}" for name, generation in generations.items()}
        async with LogReader(self.bootstrap) as log:
            starts = await self._starts(log)
            if TRADE in self.topics:
                first, end = starts[TRADE.name, 0], await log.end(TRADE.name, 0)
                async for batch in log.range(TRADE.name, 0, first, end):
                    for record in batch:
                        await self._take(record, letters)
                starts[TRADE.name, 0] = end
        follower = Follower(self.bootstrap, starts, max_wait_ms=POLL_MS // 2)
        await follower.start()
        self.on_state(None)
        try:
            while True:
                for record in await follower.fetch(POLL_MS):
                    await self._take(record, letters)
        finally:
            await follower.stop()

    async def _starts(self, log: LogReader) -> dict[tuple[str, int], int]:
        """A command that was given before the guard's first start is not obeyed: whether it was before, nobody remembers."""
        found: dict[tuple[str, int], int] = {}
        for topic in self.topics:
            for number in await log.partitions(topic.name):
                end = await log.end(topic.name, number)
                kept = self.offsets().get(self._names[topic.name])
                if topic is TRADE:
                    found[topic.name, number] = min(end, kept or 0)
                elif topic is COMMAND:
                    found[topic.name, number] = end if kept is None else min(end, kept)
                else:
                    found[topic.name, number] = max(0, end - (EXECUTOR_BACK if topic is EXECUTOR else 0))
        return found

    async def _take(self, record: Record, letters: DeadLetters) -> None:
        if record.topic == SIGNAL_INDICATOR.name:
            self.hearer.on_engine()
            return
        place = self._names[record.topic], record.offset + 1
        topic = next(one for one in self.topics if one.name == record.topic)
        try:
            event = decode(record.value, record.headers, topic.events)
        except BadMessage as error:
            counter("perpstream_records_dropped_total").labels(topic.name, error.reason).inc()
            if topic is COMMAND:
                await letters.put(record, error)
                self.hearer.on_unreadable_command(str(error), place)
            return
        self._hand_over(event, place)

    def _hand_over(self, event: Event, place: Place) -> None:
        if isinstance(event, CommandIssued):
            self.hearer.on_command(event, place)
        elif isinstance(event, LiveTradeChanged):
            self.hearer.on_trade(event, place)
        elif isinstance(event, ExecutorReported):
            self.hearer.on_executor(event)
        elif isinstance(event, FeedStatusChanged):
            self.hearer.on_feed(event)
