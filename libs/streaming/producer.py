"""The one way records reach Kafka: idempotent, acknowledged by all, bounded, and fatal when a delivery fails.

A broker that dies and comes back is waited for without loss, doubling or reordering; only what no waiting can heal (a
record too large, a topic or partition that does not exist, a broken sequence) ends the process, so that nothing is skipped.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata
from prometheus_client import Counter

from libs.contracts.codec import HEADER_OBSERVED_AT, Encoded, encode
from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.kit.clock import Clock, SystemClock
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.kit.service import exit_now
from libs.streaming.connection import CONNECT_SECONDS, unreachable

# The client fails a batch only while its partition has no leader for longer than this: it bounds how long a broker may be away.
REQUEST_TIMEOUT_MS = 180_000
# Per partition and request; frames of 10-20 KB then travel a dozen at a time instead of one. Below the broker's 1 MiB limit.
BATCH_BYTES = 256 * 1024
# What dead-letter topics take: a refused record of the largest size, with the reason. The broker holds other topics to 1 MiB.
MAX_REQUEST_BYTES = 2_000_000
MAX_BUFFERED = 2000


class Publisher(Protocol):
    """What writes records: the Kafka producer and the in-memory bus of tests have the same surface."""

    async def send(
        self, topic: Topic, event: Event, *, key: str, partition: int, headers: Sequence[tuple[str, bytes]] = ...
    ) -> asyncio.Future[int]: ...

    async def send_encoded(
        self, topic_name: str, encoded: Encoded, *, key: bytes | None, partition: int
    ) -> asyncio.Future[int]: ...

    async def flush(self) -> None: ...


class EventProducer:
    """An idempotent producer with `acks=all` and at most `max_buffered` unacknowledged records.

    Records of one partition arrive in the order in which one task sends them. `on_failure(reason)` is called once for a
    delivery that failed for good; it must end the process (a test may record it instead).
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        service: str,
        linger_ms: int = 0,
        max_buffered: int = MAX_BUFFERED,
        on_failure: Callable[[str], object] = exit_now,
    ) -> None:
        self.bootstrap = bootstrap
        self._service = service
        self._linger_ms = linger_ms
        self._room = asyncio.Semaphore(max_buffered)
        self._on_failure = on_failure
        # In the order of handing over, each with the moment of it (monotonic seconds).
        self._pending: dict[asyncio.Future[int], float] = {}
        self._producer: AIOKafkaProducer | None = None
        self._known: dict[str, Counter] = {}
        self._clock: Clock = SystemClock()
        self._produced = counter("perpstream_records_produced_total")
        self._buffered = gauge("perpstream_producer_buffered_records").labels(service)
        self._buffered.set_function(lambda: len(self._pending))

    @property
    def buffered(self) -> int:
        """Records handed over and not acknowledged yet."""
        return len(self._pending)

    @property
    def oldest_unacknowledged_seconds(self) -> float:
        """How long the record that waits longest has waited for its acknowledgement; 0 when none waits."""
        return time.monotonic() - next(iter(self._pending.values())) if self._pending else 0.0

    async def start(self) -> None:
        """Connect; raises `UnreachableError` when no broker answers within 15 seconds."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            client_id=self._service,
            enable_idempotence=True,
            acks="all",
            linger_ms=self._linger_ms,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=30_000,
        )
        try:
            await asyncio.wait_for(producer.start(), CONNECT_SECONDS)
        except (KafkaError, OSError, TimeoutError) as error:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 1.0)
            raise unreachable(self.bootstrap, error) from None
        self._producer = producer

    async def stop(self, deadline: float = 5.0) -> None:
        """Deliver what is buffered, then disconnect.

        Raises `TimeoutError` when that takes more than `deadline` seconds: whatever is still buffered was not delivered.
        """
        if self._producer is None:
            return
        async with asyncio.timeout(deadline):
            await self.flush()
            await self._producer.stop()
        self._producer = None

    async def send(
        self, topic: Topic, event: Event, *, key: str, partition: int, headers: Sequence[tuple[str, bytes]] = ()
    ) -> asyncio.Future[int]:
        """Encode and hand over one event; waits for room. The future gives the record's offset once Kafka has it.

        `headers` are appended to those of the codec; `observed-at` (our wall clock, ms) is added unless they bring it.
        """
        observed = None if any(name == HEADER_OBSERVED_AT for name, _ in headers) else self._clock.now_ms()
        value, own = encode(event, observed_at_ms=observed)
        return await self.send_encoded(
            topic.name, Encoded(value, [*own, *headers]), key=key.encode(), partition=partition
        )

    async def send_encoded(
        self, topic_name: str, encoded: Encoded, *, key: bytes | None, partition: int
    ) -> asyncio.Future[int]:
        """Hand over bytes and headers as they are; waits for room. The future gives the record's offset."""
        if self._producer is None:
            raise RuntimeError("the producer was not started")
        await self._room.acquire()
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending[acknowledged] = time.monotonic()
        try:
            await self._know(self._producer, topic_name)
            delivery = await self._producer.send(
                topic_name, encoded.value, key=key, partition=partition, headers=encoded.headers
            )
        except asyncio.CancelledError:
            self._settle(acknowledged)
            acknowledged.cancel()
            raise
        except (KafkaError, LookupError, AssertionError, TypeError) as error:
            # The client asserts on partitions it does not know; for us both are the same: this record cannot be delivered.
            self._fail(acknowledged, topic_name, partition, error)
            return acknowledged

        produced = self._known[topic_name]

        def on_done(done: "asyncio.Future[RecordMetadata]") -> None:
            error = asyncio.CancelledError() if done.cancelled() else done.exception()
            if error is not None:
                self._fail(acknowledged, topic_name, partition, error)
                return
            self._settle(acknowledged)
            produced.inc()
            if not acknowledged.done():
                acknowledged.set_result(done.result().offset)

        delivery.add_done_callback(on_done)
        return acknowledged

    async def flush(self) -> None:
        """Wait until everything handed over before this call is acknowledged."""
        if self._pending:
            await asyncio.wait(list(self._pending))

    async def _know(self, producer: AIOKafkaProducer, topic: str) -> None:
        """Refuse a topic that does not exist at once; the client by itself would look for it until its request times out."""
        if topic in self._known:
            return
        with suppress(KafkaError):  # the broker is away: then the client's patience is what we want
            metadata = await producer.client.fetch_all_metadata()
            if not metadata.partitions_for_topic(topic):
                raise LookupError(f"topic {topic} does not exist: create the topics first")
        # Counted per record, so the labelled counter is looked up once per topic.
        self._known[topic] = self._produced.labels(topic)

    def _settle(self, acknowledged: asyncio.Future[int]) -> None:
        self._pending.pop(acknowledged, None)
        self._room.release()

    def _fail(self, acknowledged: asyncio.Future[int], topic: str, partition: int, error: BaseException) -> None:
        self._settle(acknowledged)
        reason = f"a record was not delivered to {topic}:{partition}: {error!r}"
        get_logger("producer").error("delivery failed", topic=topic, partition=partition, error=repr(error))
        if not acknowledged.done():
            acknowledged.set_exception(KafkaError(reason))
            acknowledged.exception()  # nobody has to look at it: the failure below is what counts
        self._on_failure(reason)
