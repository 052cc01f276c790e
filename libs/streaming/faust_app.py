"""The one file that imports Faust: a worker with safe settings around a plain coroutine, and the rule for failures.

faust-streaming 0.15.3 acknowledges a record whenever its loop is left, also by an exception, and commits it (measured, pinned
in tests/libs/streaming/test_faust_delivery.py). So nothing ever raises inside an agent here: a bad record goes to the
dead-letter topic and counts as done; anything else ends the process before a commit can happen, and start-up is recovery.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import faust

from libs.contracts.codec import header_map
from libs.kit.errors import BadMessage, TryAgain
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.kit.service import exit_now
from libs.streaming.deadletter import DeadLetters
from libs.streaming.generation import log_generation
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record

Process = Callable[[Record], Awaitable[None]]
"""Takes one record. Returning means: done, its position may be committed. `BadMessage` dead-letters it, `TryAgain` repeats
it after a while, anything else ends the process; the record then comes again."""

PartitionsChanged = Callable[[frozenset[int]], Awaitable[None]]
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """One Faust process. `group` is the consumer group; `instance_id` makes membership static, so that a quick restart
    takes its partitions back without a rebalance. The session timeout is how long a dead worker's partitions pause.
    `offset_reset` is where a group without a position begins; "latest" is for those who read the past themselves."""

    bootstrap: str
    group: str
    topic: str
    instance_id: str | None = None
    session_timeout_seconds: float = 10.0
    commit_every: int = 500
    commit_interval_seconds: float = 1.0
    offset_reset: Literal["earliest", "latest"] = "earliest"


async def _nothing(_: frozenset[int]) -> None:
    """No callback was given."""


def build_worker(
    settings: WorkerSettings,
    process: Process,
    on_assigned: PartitionsChanged = _nothing,
    on_revoked: PartitionsChanged = _nothing,
    dead_letters: DeadLetters | None = None,
) -> "FaustWorker":
    """A worker that feeds `process` with the records of its partitions, one at a time, in order within a partition.

    `on_assigned(partitions)` is awaited after each assignment and before the first record of it: load state there. Heartbeats
    go on meanwhile. `on_revoked(partitions)` is awaited when partitions are taken away, after the record in hand was done.
    Records may come again after a restart or a rebalance (at least once).
    """
    return FaustWorker(settings, process, on_assigned, on_revoked, dead_letters)


class FaustWorker:
    """See `build_worker`; `run` it once, inside the service's event loop."""

    def __init__(
        self,
        settings: WorkerSettings,
        process: Process,
        on_assigned: PartitionsChanged,
        on_revoked: PartitionsChanged,
        dead_letters: DeadLetters | None,
    ) -> None:
        self.settings = settings
        self.assigned = asyncio.Event()
        self._process = process
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._dead_letters = dead_letters
        self._busy = asyncio.Lock()
        self._draining = False
        self._consumed = counter("perpstream_records_consumed_total").labels(settings.topic)
        self._partitions: frozenset[int] = frozenset()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish the record in hand, commit and leave.

        Raises `UnreachableError` when no broker answers and `UserError` when the topic does not exist. A crash of Faust ends
        the process at once: an orderly stop would commit what was not done.
        """
        await log_generation(self.settings.bootstrap, self.settings.topic)
        own_producer = EventProducer(self.settings.bootstrap, service=self.settings.group)
        if self._dead_letters is None:
            await own_producer.start()
            self._dead_letters = DeadLetters(own_producer, self.settings.group)
        with tempfile.TemporaryDirectory(prefix="faust-") as folder:
            app = self._app(folder)
            await self._guarded(self._start(app), "Faust did not start")
            if await app.wait_for_stopped(stopping.wait()):
                exit_now(f"Faust crashed: {app.crash_reason!r}")
            await self._drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(app.stop(), _STOP_SECONDS)
        await own_producer.stop()

    async def _start(self, app: Any) -> None:
        """Start within `_START_SECONDS`, the time of a recovery not counted: that is as long as the log it has to read."""
        starting = asyncio.ensure_future(app.start())
        while not starting.done():
            await asyncio.wait({starting}, timeout=_START_SECONDS)
            if not starting.done() and not self._recovering:
                starting.cancel()
                raise TimeoutError(f"not within {_START_SECONDS:.0f} seconds")
        await starting

    def _app(self, folder: str) -> Any:
        settings = self.settings
        options: dict[str, Any] = {
            "broker": f"kafka://{settings.bootstrap.replace(',', ';kafka://')}",
            "datadir": folder,
            "store": "memory://",
            "processing_guarantee": "at_least_once",
            "key_serializer": "raw",
            "value_serializer": "raw",
            "autodiscover": False,
            "web_enabled": False,
            "worker_redirect_stdouts": False,
            "topic_allow_declare": False,
            "topic_disable_leader": True,
            "table_standby_replicas": 0,
            "broker_commit_every": settings.commit_every,
            "broker_commit_interval": settings.commit_interval_seconds,
            "broker_session_timeout": settings.session_timeout_seconds,
            "broker_heartbeat_interval": settings.session_timeout_seconds / 5,
            "consumer_auto_offset_reset": settings.offset_reset,
            "consumer_group_instance_id": settings.instance_id,
            # The wait is ours (see _drain and _revoked): Faust's own wait hangs on a record that is never acknowledged.
            "stream_wait_empty": False,
            "stream_recovery_delay": 0.0,
        }
        app: Any = faust.App(settings.group, **options)
        topic = app.topic(
            settings.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        async def agent(stream: Any) -> None:
            try:
                async for event in stream.events():
                    await self._take(event)
            except Exception as error:  # nothing may leave an agent: Faust would commit what was in hand
                exit_now(f"the stream failed: {error!r}")

        app.agent(topic, name=f"{settings.group}.agent", concurrency=1)(agent)
        app.on_partitions_assigned.connect(self._note_assigned, weak=False)
        app.on_rebalance_complete.connect(self._recover, weak=False)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        return app

    async def _take(self, event: Any) -> None:
        """One record under the failure rule."""
        async with self._busy:
            if not self._draining and await self._done(_record_of(event.message)):
                self._consumed.inc()
                return
        # We are leaving, and this record was not done: one reference more keeps Faust from committing it.
        event.message.incref()
        await asyncio.get_running_loop().create_future()

    async def _done(self, record: Record) -> bool:
        """Process until done; False when we are leaving instead. Never raises."""
        while not self._draining:
            try:
                await self._process(record)
            except BadMessage as error:
                await self._refuse(record, error)
            except TryAgain as error:
                get_logger("faust").warning("trying again", place=record.place, why=error.detail)
                await asyncio.sleep(error.after_seconds)
                continue
            except asyncio.CancelledError:
                exit_now(f"cancelled in the middle of {record.place}")
            except Exception as error:
                get_logger("faust").exception("the record could not be processed", place=record.place)
                exit_now(f"{record.place}: {error!r}")
            return True
        return False

    async def _refuse(self, record: Record, error: BadMessage) -> None:
        assert self._dead_letters is not None, "set before the first record"
        try:
            await self._dead_letters.put(record, error)
        except (Exception, asyncio.CancelledError) as problem:
            exit_now(f"{record.place} could not be dead-lettered: {problem!r}")

    async def _note_assigned(self, _: Any, assigned: Any, **__: Any) -> None:
        counter("perpstream_rebalance_total").labels(self.settings.group).inc()
        self._partitions = frozenset(place.partition for place in assigned if place.topic == self.settings.topic)

    async def _recover(self, *_: Any, **__: Any) -> None:
        get_logger("faust").info("assigned", group=self.settings.group, partitions=sorted(self._partitions))
        async with self._busy:
            self._recovering = True
            try:
                await self._guarded(self._on_assigned(self._partitions), "recovery failed")
            finally:
                self._recovering = False
        self.assigned.set()

    async def _revoked(self, *_: Any, **__: Any) -> None:
        self.assigned.clear()
        async with self._busy:
            partitions, self._partitions = self._partitions, frozenset()
            if partitions:
                await self._guarded(self._on_revoked(partitions), "revocation failed")

    async def _drain(self) -> None:
        """Let the record in hand finish; from then on nothing is processed and nothing more is acknowledged."""
        self._draining = True
        async with self._busy:
            get_logger("faust").info("drained", group=self.settings.group)

    async def _guarded(self, work: Awaitable[Any], what: str) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # Faust's own threads would keep a half-dead process alive
            get_logger("faust").exception(what)
            exit_now(f"{what}: {error!r}")


def _record_of(message: Any) -> Record:
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        header_map(message.headers),
        round(message.timestamp * 1000) if message.timestamp else -1,
    )
