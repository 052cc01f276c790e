"""What leaves the engine, in the order that recovery relies on: an indicator record only after its signals are kept.

The last indicator record of a symbol tells a restart how far the outputs reach, so it must never stand on its topic without
the signals of its evaluation. Waiting for each acknowledgement in the stream would cost a round trip per evaluation; so
signals are sent at once, and the indicator records wait here, in order, until the signals before them are acknowledged.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.contracts.control import StrategyAnswered
from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, STRATEGY_ANSWER
from libs.kit.clock import SystemClock
from libs.kit.service import exit_now
from libs.streaming.producer import EventProducer
from services.signal_engine.core import Output

LONGEST_QUEUE = 256


@dataclass(slots=True)
class _Waiting:
    """Indicator records of one step and the signals that must be kept before them."""

    partition: int
    signals: "list[asyncio.Future[int]]"
    indicators: Sequence[Output]


@dataclass(slots=True)
class Outbox:
    """One per process; `put` in processing order, `drained` before a state is saved. Failed deliveries end the process."""

    producer: EventProducer
    _queue: "asyncio.Queue[_Waiting]" = field(default_factory=lambda: asyncio.Queue(LONGEST_QUEUE))
    _clock: SystemClock = field(default_factory=SystemClock)
    _task: "asyncio.Task[None] | None" = None

    async def put(self, partition: int, signals: Sequence[Output], indicators: Sequence[Output]) -> None:
        """Send the signals and queue the indicator records; waits only when Kafka has fallen behind."""
        if self._task is None:
            self._task = asyncio.create_task(self._deliver())
            self._task.add_done_callback(_end_process)
        sent = [await self._send(SIGNAL_SCORED.name, partition, signal) for signal in signals]
        if indicators or sent:
            await self._queue.put(_Waiting(partition, sent, indicators))

    async def answer(self, answers: Sequence[StrategyAnswered]) -> None:
        """Say what became of activations; nothing waits for it, and a replay of their places says it again."""
        for event in answers:
            await self.producer.send(STRATEGY_ANSWER, event, key=event.strategy, partition=0)

    async def drained(self) -> None:
        """Return when everything put so far is acknowledged."""
        await self._queue.join()
        await self.producer.flush()

    async def _deliver(self) -> None:
        while True:
            waiting = await self._queue.get()
            if waiting.signals:
                await asyncio.gather(*waiting.signals)
            for indicator in waiting.indicators:
                await self._send(SIGNAL_INDICATOR.name, waiting.partition, indicator)
            self._queue.task_done()

    async def _send(self, topic: str, partition: int, output: Output) -> "asyncio.Future[int]":
        output.encoded.headers.append(("observed-at", str(self._clock.now_ms()).encode()))
        return await self.producer.send_encoded(topic, output.encoded, key=output.symbol.encode(), partition=partition)


def _end_process(task: "asyncio.Task[None]") -> None:
    """Without its deliverer the engine would fall silent: start-up is recovery."""
    if not task.cancelled():
        exit_now(f"outputs could not be delivered: {task.exception()!r}")
