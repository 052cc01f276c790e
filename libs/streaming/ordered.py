"""The queue between synchronous stream callbacks and Kafka: ordered, and a brake on the source when Kafka does not keep up."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.streaming.producer import Publisher

FULL_AT = 400
ROOM_BELOW = 100


class Outgoing(NamedTuple):
    """One record to send."""

    topic: Topic
    event: Event
    key: str
    partition: int


class OrderedPublisher:
    """Sends in the order of `put`. Beyond `FULL_AT` waiting records `brake(True)` is called once, below `ROOM_BELOW`
    `brake(False)`: the bytes then wait in the network, and what the venue drops meanwhile is fetched by REST."""

    def __init__(self, producer: Publisher, brake: Callable[[bool], None]) -> None:
        self._producer = producer
        self._brake = brake
        self._queue: deque[Outgoing] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, item: Outgoing) -> None:
        """Queue one record; never blocks, callers that can wait use `room` first."""
        self._queue.append(item)
        self._idle.clear()
        self._wake.set()
        if len(self._queue) > FULL_AT and self._room.is_set():
            self._room.clear()
            self._brake(True)

    async def room(self) -> None:
        """Wait while the queue is full."""
        await self._room.wait()

    async def settled(self) -> None:
        """Wait, while `run` sends, until the queue has been empty and Kafka has what was put before."""
        await self._idle.wait()
        await self._producer.flush()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._send_queued()
            self._wake.clear()
            await self._wake.wait()

    async def drain(self) -> None:
        """After `run` was cancelled: send what is queued and wait until Kafka has it."""
        await self._send_queued()
        await self._producer.flush()

    async def _send_queued(self) -> None:
        queue = self._queue
        while queue:
            topic, event, key, partition = queue[0]
            # Removed after it was handed over: a cancelled send must not leave a gap before what follows.
            await self._producer.send(topic, event, key=key, partition=partition)
            queue.popleft()
            if len(queue) < ROOM_BELOW and not self._room.is_set():
                self._room.set()
                self._brake(False)
        self._idle.set()
