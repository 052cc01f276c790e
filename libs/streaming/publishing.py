"""What every ingest does around its own work: connect, send in order, watch the broker, hand over the rest, disconnect."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from libs.kit.service import ServiceContext
from libs.kit.tasks import run_until
from libs.streaming.liveness import KAFKA, watch_deliveries
from libs.streaming.ordered import OrderedPublisher
from libs.streaming.producer import MAX_BUFFERED, EventProducer


@dataclass(frozen=True, slots=True)
class Publishing:
    """A connected producer behind its ordered queue, for the life of a service."""

    context: ServiceContext
    producer: EventProducer
    publisher: OrderedPublisher

    async def run(self, *work: Coroutine[Any, Any, None]) -> None:
        """Run `work` and send what it puts into the publisher, until the service is told to stop; see `run_until`."""
        watching = watch_deliveries(self.context, self.producer)
        await run_until(self.context.stopping, self.publisher.run(), watching, *work)

    async def drain(self) -> None:
        """After `run`: wait until Kafka has the rest; raises `TimeoutError` when a third of the stop deadline is not enough."""
        await asyncio.wait_for(self.publisher.drain(), self.context.settings.stop_deadline_seconds / 3)


@asynccontextmanager
async def publishing(
    context: ServiceContext, bootstrap: str, brake: Callable[[bool], None], *, max_buffered: int = MAX_BUFFERED
) -> AsyncIterator[Publishing]:
    """A producer of this service; `brake` holds its sources (see `OrderedPublisher`).

    Raises `UnreachableError` when no broker answers at the start, `TimeoutError` when it does not take the rest at the end.
    """
    context.expect(KAFKA)
    producer = EventProducer(bootstrap, service=context.name, max_buffered=max_buffered)
    await producer.start()
    context.fulfil(KAFKA)
    try:
        yield Publishing(context, producer, OrderedPublisher(producer, brake))
    finally:
        await producer.stop(context.settings.stop_deadline_seconds / 2)
