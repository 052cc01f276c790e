"""Watches the strategies' folder while everything runs: what is edited there is checked file by file and put in force.

Runs as a process of its own (`python -m services.console.strategy_watch`, `perpstream strategy watch`). It looks once a second
instead of being told: notices of the file system do not cross the mounts of containers and of networks, and the files are small.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from libs.contracts.identity import digest
from libs.contracts.topics import ALERT
from libs.contracts.trading import AlertRaised
from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext, run_service
from libs.kit.settings import KafkaSettings, load_settings
from libs.kit.tasks import run_until
from libs.streaming.connection import CONNECT_SECONDS, BrokerError
from libs.streaming.liveness import KAFKA, refused
from libs.streaming.producer import EventProducer
from libs.streaming.strategies.activation import FOLDER, By, Files, Plan, plan_of
from libs.streaming.strategies.answers import RESTART
from libs.streaming.strategies.files import read_texts, strategies_dir, strategy_files
from libs.streaming.strategies.log import NotAcknowledged, publish_and_hear, read_standing

NAME = "strategy_watch"
COMPARED = "files compared with what is in force"
LOOK_SECONDS = 1.0
RUNBOOK = "docs/operating.md#strategies-while-running"


@dataclass(frozen=True, slots=True)
class Look:
    """What stood in the folder at a moment; `trouble`: why that is not known."""

    texts: Mapping[Path, bytes]
    trouble: str = ""


def look_at(folder: Path) -> Look:
    """All strategy files of the folder. A folder that is empty or not there is trouble, not the end of every strategy."""
    try:
        return Look(read_texts(strategy_files(folder)))
    except UserError as error:
        return Look({}, str(error.advice))


def newest_change_ms(folder: Path) -> int:
    """When a file of the folder last changed (ms): an alert that is raised again after a restart is the same one."""
    paths = [folder, *folder.glob("*.json")] if folder.is_dir() else []
    return max((path.stat().st_mtime_ns // 1_000_000 for path in paths if path.exists()), default=0)


@dataclass(slots=True)
class Watcher:
    """Settles each new content of the folder once: published, or refused with its reasons."""

    bootstrap: str
    folder: Path
    context: ServiceContext
    _before: Look | None = None
    _settled: Look | None = None
    _told: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """For ever. A failed delivery and one of which nothing is known end the process: its start reads the log again."""
        while True:
            now = await asyncio.to_thread(look_at, self.folder)
            # Twice the same: an editor that writes in pieces, or a file that is replaced, is not taken half way.
            if now == self._before and now != self._settled:
                await self._try(now)
            elif self._settled is not None:
                await self._knock()
            self._before = now
            await asyncio.sleep(LOOK_SECONDS)

    async def _try(self, look: Look) -> None:
        try:
            waits = await self._settle(look)
        except (UserError, BrokerError, TimeoutError) as error:
            why = str(error) or "Kafka does not answer"
            self.context.miss(KAFKA, why)
            self._say_once("warning", "the files wait for Kafka", why=why)
            return
        self.context.details["waits"] = list(waits)
        for why in waits:  # an engine that has just been started may know the factor as soon as it answers
            self._say_once("warning", "a file waits for the engine", why=why)
        if not waits:
            self._told.clear()
            self._settled = look
        self.context.fulfil(KAFKA)
        self.context.fulfil(COMPARED)

    async def _settle(self, look: Look) -> tuple[str, ...]:
        """Compare, publish, tell; returns why a file waits without being wrong.

        Raises when the log cannot be read; `RuntimeError` when it is not known what it holds now.
        """
        problems = [look.trouble] if look.trouble else []
        plan = Plan()
        async with asyncio.timeout(2 * CONNECT_SECONDS):
            standing = await read_standing(self.bootstrap)
        if not problems:
            try:
                plan = plan_of(Files(look.texts, self.folder, whole=True), standing, By(FOLDER))
                problems = list(plan.problems)
            except UserError as error:
                problems = [str(error.advice)]
        try:
            verdicts = await publish_and_hear(self.bootstrap, plan.news)
        except NotAcknowledged as error:
            raise RuntimeError(str(error)) from None
        refused = [event for event in plan.news if verdicts[event.strategy].state == "refused"]
        problems += [f"{verdicts[event.strategy].refusal(event)}: {RESTART}" for event in refused]
        if not plan.waits or plan.changes or problems != self.context.details.get("refused"):
            self._tell(plan, problems)
            if problems:
                await self._alert(problems)
        return plan.waits

    def _tell(self, plan: Plan, problems: list[str]) -> None:
        log = get_logger(NAME)
        for change in plan.changes:
            log.info("activated", change=change)
        for note in plan.notes:
            log.warning("left as it is", note=note)
        for problem in problems:
            log.error("refused: what is in force stays, other files count", problem=problem)
        if not (plan.changes or problems or plan.waits):
            log.info("the files are what is in force")
        self.context.details["refused"] = problems

    async def _alert(self, problems: list[str]) -> None:
        """The same problems give the same id, so that a restart tells nobody twice. Without Kafka the log alone says it."""
        alert = AlertRaised(
            event_id=digest("alert", NAME, *(problem.replace("|", "/") for problem in problems)),
            event_time_ms=await asyncio.to_thread(newest_change_ms, self.folder),
            severity="warning",
            source=NAME,
            title="an edit of the strategies was refused; what was in force stays",
            detail="\n".join(problems),
            runbook=RUNBOOK,
        )
        producer = EventProducer(self.bootstrap, service=NAME)
        try:
            await producer.start()
            await producer.send(ALERT, alert, key=alert.event_id, partition=0)
            await producer.stop()
        except (UserError, BrokerError, TimeoutError) as error:
            self._say_once("warning", "the alert was not sent", why=str(error) or "Kafka does not answer")

    async def _knock(self) -> None:
        if why := await refused(self.bootstrap):
            self.context.miss(KAFKA, why)
        else:
            self.context.fulfil(KAFKA)

    def _say_once(self, level: str, event: str, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            getattr(get_logger(NAME), level)(event, why=why)


async def main(context: ServiceContext) -> None:
    """Watch until told to stop."""
    kafka, folder = load_settings(KafkaSettings), strategies_dir()
    context.expect(KAFKA, COMPARED)
    get_logger(NAME).info("watching", folder=str(folder))
    await run_until(context.stopping, Watcher(kafka.kafka_bootstrap, folder, context).run())


def run() -> None:
    """Watch as a process with health endpoints; never returns."""
    run_service(NAME, main)


if __name__ == "__main__":
    run()
