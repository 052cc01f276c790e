"""Wiring: settings, database, consumer with its positions in PostgreSQL, a sender a channel, and the bot if there is one."""

import asyncio
import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field

from libs.contracts.topics import ALERT, FEEDSTATUS, ORDER, PAPER, POSITION, RISK_STATE, SIGNAL_SCORED, TRADE
from libs.kit.clock import Clock, SystemClock
from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, KafkaSettings, NotificationSettings, load_settings
from libs.kit.tasks import run_until
from libs.notify import Channel
from libs.store.engine import Engine, check_reachable, create_engine
from libs.store.notices import forget_channel, tidy_notices
from libs.store.offsets import PostgresOffsets
from libs.store.schema_version import require_current
from libs.streaming.consumer import BatchConsumer
from services.notifier.absent import hand_over, recall
from services.notifier.app import NAME
from services.notifier.bot.keeping import BotKeeper
from services.notifier.intake import Intake, instant
from services.notifier.pictures import StoredPictures
from services.notifier.sending import Sender
from services.notifier.watching import Files

TOPICS = tuple(topic.name for topic in (ALERT, RISK_STATE, TRADE, ORDER, POSITION, SIGNAL_SCORED, PAPER, FEEDSTATUS))
ASSIGNED = "reads topics"
_KEEP = dt.timedelta(days=30)
_TIDY_SECONDS = 10.0


@dataclass(slots=True)
class Senders:
    """A task a channel, as the folder says; one that ends by an error of ours ends the process."""

    engine: Engine
    clock: Clock
    _tasks: dict[str, tuple[Channel, Sender, asyncio.Task[None]]] = field(default_factory=dict, init=False)
    _failed: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), init=False
    )

    def follow(self, files: Files, touched: set[str]) -> None:
        """Start, stop and begin anew what the files ask for."""
        for name, (channel, _, task) in list(self._tasks.items()):
            if files.channels.get(name) is not channel:
                task.cancel()
                self._tasks.pop(name)
        for name, channel in files.channels.items():
            if name not in self._tasks:
                sender = Sender(
                    self.engine,
                    self.clock,
                    channel,
                    lambda name=name: files.rules.limits_of(name),  # type: ignore[misc]
                    StoredPictures(self.engine),
                )
                task = asyncio.ensure_future(self._run(sender, fresh=name in touched))
                task.add_done_callback(self._ended)
                self._tasks[name] = (channel, sender, task)

    def wake(self) -> None:
        """There may be something to send."""
        for _, sender, _ in self._tasks.values():
            sender.wake.set()

    async def watch(self) -> None:
        """Until cancelled; raises what a sender died of."""
        try:
            await self._failed
        finally:
            tasks = [task for _, _, task in self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, sender: Sender, *, fresh: bool) -> None:
        try:
            if fresh:
                with suppress(UnreachableError):
                    await forget_channel(self.engine, sender.channel.name)
            await sender.run()
        finally:
            await sender.channel.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)


async def run(context: ServiceContext, settings: NotificationSettings) -> None:
    """Notify until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    kafka, database = load_settings(KafkaSettings), load_settings(DatabaseSettings)
    context.expect(ASSIGNED)
    engine = create_engine(database, application="perpstream notifier")
    clock = SystemClock()
    try:
        await check_reachable(engine)
        await require_current(engine)
        senders = Senders(engine, clock)
        files = Files(context, settings, senders.follow)
        await recall(engine, files)
        intake = Intake(engine, clock, files, senders.wake)
        consumer = BatchConsumer(kafka.kafka_bootstrap, NAME, TOPICS, PostgresOffsets(engine), intake.handle)
        await run_until(
            context.stopping,
            consumer.run(context.stopping),
            senders.watch(),
            files.watch(),
            _tidy(engine, clock, files, senders),
            BotKeeper(context, settings, kafka.kafka_bootstrap, engine, clock).run(),
            _watch_assignment(context, consumer),
        )
    finally:
        await engine.dispose()


async def _watch_assignment(context: ServiceContext, consumer: BatchConsumer) -> None:
    while True:
        await consumer.assigned.wait()
        if consumer.waiting_for is None:
            context.fulfil(ASSIGNED)
        else:
            context.miss(ASSIGNED, consumer.waiting_for)
        await asyncio.sleep(1.0)


async def _tidy(engine: Engine, clock: Clock, files: Files, senders: Senders) -> None:
    """Gives up what is too late, forgets what is long done, and follows which channels are known."""
    while True:
        with suppress(UnreachableError):
            await recall(engine, files)
            if await hand_over(engine, files.channels):
                senders.wake()
            expired, _ = await tidy_notices(engine, instant(clock.now_ms()), _KEEP)
            if expired:
                get_logger(NAME).warning("messages were not told in time", count=expired)
        await asyncio.sleep(_TIDY_SECONDS)
