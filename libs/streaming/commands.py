"""Commands on their way: saying one and hearing its answer, and the reader of the services that obey them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from libs.contracts.codec import decode
from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.topics import Topic
from libs.kit.errors import BadMessage, UnreachableError
from libs.streaming.connection import BrokerError
from libs.streaming.follower import Follower
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record
from libs.streaming.tail import TailConsumer

PARTITION = 0
_POLL_MS = 200


class CommandNotAcknowledged(UnreachableError):
    """It is not known whether the log has the command: it may still be obeyed until it expires."""


class CommandNotAnswered(UnreachableError):
    """The log has the command, and nobody has said what became of it: it may still be obeyed until it expires."""


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A record of the commands' topic, with the place where it stands; `said` may be what nobody can read."""

    partition: int
    offset: int
    said: CommandIssued | BadMessage
    record: Record


class CommandReader:
    """Reads every command from an offset on, for ever, without a group: whoever obeys keeps the offset with what it decides.

    A broker that goes away is waited for. An offset that the log no longer has moves to its oldest record: what was obeyed
    already is refused by its nonce, and what is old by its expiry.
    `async with CommandReader(bootstrap, COMMAND, first) as commands: ... await commands.poll()`
    """

    def __init__(self, bootstrap: str, topic: Topic, first: int = 0, *, max_wait_ms: int = _POLL_MS) -> None:
        self._topic = topic
        self._follower = Follower(bootstrap, {(topic.name, PARTITION): first}, max_wait_ms=max_wait_ms)

    async def poll(self, max_wait_ms: int = _POLL_MS) -> Sequence[CommandRecord]:
        """What has arrived, in order; nothing after `max_wait_ms` without any."""
        return [command_of(record, self._topic) for record in await self._follower.fetch(max_wait_ms)]

    async def __aenter__(self) -> Self:
        """Raises `UnreachableError` when no broker answers."""
        await self._follower.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._follower.stop()


@dataclass(frozen=True, slots=True)
class CommandDesk:
    """Where commands are said, and what became of them is heard: the two topics of that, at one broker. `service`: who says."""

    bootstrap: str
    commands: Topic
    answers: Topic
    service: str = "console"

    async def issue(self, command: CommandIssued) -> int:
        """Append a command, and return its offset once Kafka has it.

        Raises `UnreachableError` before anything is sent, then `CommandNotAcknowledged`.
        """
        failures: list[str] = []
        producer = EventProducer(self.bootstrap, service=self.service, on_failure=failures.append)
        await producer.start()
        acknowledged = await producer.send(self.commands, command, key=command.target, partition=PARTITION)
        try:
            await producer.stop()
            return await acknowledged
        except (TimeoutError, BrokerError):
            acknowledged.cancel()
            raise CommandNotAcknowledged(
                f"Kafka has not said whether it has the command {command.command}",
                where=self.bootstrap,
                todo="look at what became of it before you say it again",
            ) from None

    async def issue_and_hear(self, command: CommandIssued, patience_seconds: float) -> CommandAnswered:
        """Append a command, and wait for the answer of its target.

        Raises like `issue`, and `CommandNotAnswered` when none came in time, be it that nobody runs or that Kafka went away.
        """
        async with TailConsumer(self.bootstrap, [self.answers.name]) as tail:
            await self.issue(command)
            try:
                async with asyncio.timeout(patience_seconds):
                    return await self._answer(tail, command)
            except (TimeoutError, BrokerError):
                raise CommandNotAnswered(
                    f"{command.target} has not answered {command.command} within {patience_seconds:g} s",
                    where=self.bootstrap,
                    todo="look at what became of it before you say it again: it may be obeyed until it expires",
                ) from None

    async def _answer(self, tail: TailConsumer, command: CommandIssued) -> CommandAnswered:
        while True:
            for record in await tail.poll(_POLL_MS):
                if (answer := answer_of(record, self.answers)) is not None and _is_to(answer, command):
                    return answer


def command_of(record: Record, topic: Topic) -> CommandRecord:
    """A record of the commands' topic, read; one that nobody can read says why."""
    said: CommandIssued | BadMessage
    try:
        event = decode(record.value, record.headers, topic.events)
        said = event if isinstance(event, CommandIssued) else BadMessage("unexpected_schema", event.SCHEMA)
    except BadMessage as error:
        said = error
    return CommandRecord(record.partition, record.offset, said, record)


def answer_of(record: Record, topic: Topic) -> CommandAnswered | None:
    """A record of the answers' topic, read; None for one that nobody can read."""
    try:
        event = decode(record.value, record.headers, topic.events)
    except BadMessage:
        return None
    return event if isinstance(event, CommandAnswered) else None


def _is_to(answer: CommandAnswered, command: CommandIssued) -> bool:
    asked = (command.event_id, command.account, command.target)
    return (answer.command_id, answer.account, answer.target) == asked
