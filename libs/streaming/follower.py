"""Following named partitions from given offsets: for readers whose positions stand in the data they keep."""

from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from libs.kit.metrics import counter
from libs.streaming.connection import unreachable
from libs.streaming.records import Record, record_of

_POLL_MS = 1000


class Follower:
    """Reads partitions for ever, without a group: `starts` gives the first offset of each (topic, partition).

    An offset that retention has deleted moves to the oldest record. The broker's restart is waited for. `max_wait_ms` is
    how long the broker holds an answer while it has nothing; with one partition that costs no delay, with several a quiet
    one may delay a busy one by it.
    """

    def __init__(self, bootstrap: str, starts: Mapping[tuple[str, int], int], *, max_wait_ms: int = 100) -> None:
        self._bootstrap = bootstrap
        self._starts = dict(starts)
        self._max_wait_ms = max_wait_ms
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect and stand at the starting offsets; raises `UnreachableError` when no broker answers."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._max_wait_ms,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise unreachable(self._bootstrap, error) from None
        consumer.assign([TopicPartition(*place) for place in self._starts])
        for place, offset in self._starts.items():
            consumer.seek(TopicPartition(*place), offset)
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect; a second call does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    @property
    def answered_ms(self) -> int:
        """When (wall clock) the broker last answered for the partition that has waited longest, be it with nothing new; 0
        before it has answered for each. A broker that hangs is seen by this alone: `fetch` then finds nothing, like a quiet
        topic."""
        if self._consumer is None:
            return 0
        places = (TopicPartition(*place) for place in self._starts)
        return min((self._consumer.last_poll_timestamp(place) or 0 for place in places), default=0)

    def hold(self, places: Collection[tuple[str, int]]) -> None:
        """Fetch nothing more of these partitions, and everything of the others, until told otherwise."""
        if self._consumer is None:
            raise RuntimeError("the follower was not started")
        held = {TopicPartition(*place) for place in places}
        paused = self._consumer.paused()
        if more := held - paused:
            self._consumer.pause(*more)
        if less := paused - held:
            self._consumer.resume(*less)

    async def fetch(self, max_wait_ms: int = _POLL_MS, max_records: int | None = None) -> list[Record]:
        """What has arrived, in order within each partition; an empty list after `max_wait_ms` without any."""
        if self._consumer is None:
            raise RuntimeError("the follower was not started")
        messages = await self._consumer.getmany(timeout_ms=max_wait_ms, max_records=max_records)
        for place, part in messages.items():
            counter("perpstream_records_consumed_total").labels(place.topic).inc(len(part))
        return [record_of(message) for part in messages.values() for message in part]
