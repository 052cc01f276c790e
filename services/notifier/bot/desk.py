"""Who may ask what, what needs a confirmation, and the trail of it: the bot without the chat that it speaks in."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from libs.contracts.commands import CommandAnswered
from libs.kit.clock import Clock
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.kit.logging import get_logger
from libs.store.chat_commands import ChatStep, Step, note_chat
from libs.store.engine import Engine
from services.notifier.bot.file import Role
from services.notifier.bot.wishes import CHANGING, Meant, NotUnderstood, meant
from services.notifier.intake import instant

READING = ("status", "positions", "signals", "profit", "daily", "balance")
CONFIRM_SECONDS = 60
_MOST_PENDING = 100


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, by the chat's word. `identity`: its id of them; `place`: where they ask; `role` None: they may do nothing."""

    identity: str
    name: str
    place: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. `confirm`: under which name it may be confirmed or cancelled; None: it is the last word."""

    text: str
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for a confirmation by the same person."""

    person: Person
    command: str
    what: Meant
    asked_ms: int


class Answers(Protocol):
    """Looks things up; `services.notifier.bot.answers` does so in tables and topics."""

    async def answer(self, command: str, typed: Mapping[str, str]) -> str:
        """Words for people. Raises `UnreachableError`, `NotUnderstood`."""
        ...


class Issuer(Protocol):
    """Says commands; `services.notifier.bot.issuing` signs and publishes them."""

    async def issue(self, what: Meant, reason: str) -> CommandAnswered:
        """Say it and wait for the answer. Raises `ConfigurationError` when it was not said, another `UserError` when nobody
        knows what became of it."""
        ...


@dataclass(slots=True)
class ChatDesk:
    """One account's. Pending confirmations are in memory: after a restart a person asks again."""

    account: str
    engine: Engine
    clock: Clock
    answers: Answers
    issuer: Issuer
    pending: dict[str, Pending] = field(default_factory=dict)

    async def ask(self, person: Person, command: str, typed: Mapping[str, str]) -> Reply:
        """Somebody gives a slash command."""
        if person.role is None:
            await self._note(_step(person, command, typed, "refused", "no role of theirs may"))
            return Reply("You have no role that may ask me.")
        try:
            if command in READING:
                return Reply(await self.answers.answer(command, typed))
            return await self._prepare(person, command, typed)
        except NotUnderstood as error:
            return Reply(f"That cannot be meant: {error}.")
        except UnreachableError as error:
            return Reply(f"I cannot look: {error.advice.what}.")

    async def press(self, person: Person, name: str, *, confirmed: bool) -> Reply:
        """Somebody presses a button under a question."""
        found = self.pending.get(name)
        if found is None:
            return Reply("This question is over. Ask again.")
        if found.person.identity != person.identity:
            return Reply("Somebody else was asked.", name)
        del self.pending[name]
        late = self.clock.now_ms() - found.asked_ms > CONFIRM_SECONDS * 1000
        if late or not confirmed:
            await self._note(
                _step(person, found.command, found.what.arguments, "cancelled", "too late" if late else "")
            )
            return Reply("That was too late. Ask again." if late else "Nothing was done.")
        if person.role != "trader":
            await self._note(
                _step(person, found.command, found.what.arguments, "refused", "no role of theirs may any more")
            )
            return Reply("You have no role that may do this.")
        await self._note(_step(person, found.command, found.what.arguments, "confirmed"))
        return Reply(await self._issue(person, found))

    async def _prepare(self, person: Person, command: str, typed: Mapping[str, str]) -> Reply:
        if command not in CHANGING:
            raise NotUnderstood(f"/{command[:32]} is none of mine")
        if person.role != "trader":
            await self._note(_step(person, command, typed, "refused", "no role of theirs may"))
            return Reply("You have no role that may do this.")
        what = meant(command, typed, self.account, self.clock.now_ms())
        await self._note(_step(person, command, what.arguments, "asked"))
        name = secrets.token_hex(8)
        while len(self.pending) >= _MOST_PENDING:
            del self.pending[next(iter(self.pending))]
        self.pending[name] = Pending(person, command, what, self.clock.now_ms())
        return Reply(f"{what.question} (within {CONFIRM_SECONDS} s)", name)

    async def _issue(self, person: Person, found: Pending) -> str:
        reason = f"Discord: {person.name} ({person.identity}) in {person.place}"
        try:
            answer = await self.issuer.issue(found.what, reason)
        except ConfigurationError as error:
            await self._note(_step(person, found.command, found.what.arguments, "refused", str(error.advice)))
            return f"Nothing was done: {error.advice.what} ({error.advice.todo})."
        except UserError as error:
            await self._note(_step(person, found.command, found.what.arguments, "unknown", str(error.advice)))
            return f"It is not known whether this was done: {error.advice.what} ({error.advice.todo})."
        step: Step = "answered" if answer.accepted else "refused"
        await self._note(
            replace(
                _step(person, found.command, found.what.arguments, step, answer.result), command_id=answer.command_id
            )
        )
        return answer.result if answer.accepted else f"Refused: {answer.result}."

    async def _note(self, noted: ChatStep) -> None:
        """Keep the step. Without a database it stands in the log, and the command says itself who gave it: whoever wants to make
        the account smaller is not stopped by a table."""
        timed = replace(noted, at=instant(self.clock.now_ms()))
        get_logger("notifier").info(
            "chat",
            person=noted.person,
            id=noted.person_id,
            command=noted.command,
            step=noted.step,
            words=noted.arguments,
        )
        try:
            async with asyncio.timeout(5.0):
                await note_chat(self.engine, timed)
        except (UnreachableError, TimeoutError):
            get_logger("notifier").error("a step of the chat cannot be kept", command=noted.command, step=noted.step)


def _step(person: Person, command: str, typed: Mapping[str, str], step: Step, detail: str = "") -> ChatStep:
    """A step whose time is not known yet."""
    return ChatStep(
        at=instant(0),
        person_id=person.identity,
        person=person.name,
        place=person.place,
        command=command,
        arguments=" ".join(f"{name}={value}" for name, value in sorted(typed.items())),
        step=step,
        detail=detail,
    )
