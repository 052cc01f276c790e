"""Who may ask what, what needs a confirmation, and the trail of it: the bot without the chat that it speaks in."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from libs.contracts.commands import CommandAnswered
from libs.kit.clock import Clock
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.store.audit import Change
from libs.store.chat_commands import ChatStep, Step
from services.notifier.bot.file import Role
from services.notifier.bot.trail import ChatTrail
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
    """What waits for a confirmation by the same person. `before`: how things stood when they asked; None: that is not known."""

    person: Person
    command: str
    what: Meant
    asked_ms: int
    before: Mapping[str, Any] | None


class Answers(Protocol):
    """Looks things up; `services.notifier.bot.answers` does so in tables and topics."""

    async def answer(self, command: str, typed: Mapping[str, str]) -> str:
        """Words for people. Raises `UnreachableError`, `NotUnderstood`."""
        ...

    async def before(self, what: Meant) -> Mapping[str, Any] | None:
        """How that stands now which it would change; None: it is not known. Raises nothing, and answers soon."""
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
    trail: ChatTrail
    clock: Clock
    answers: Answers
    issuer: Issuer
    pending: dict[str, Pending] = field(default_factory=dict)

    async def ask(self, person: Person, command: str, typed: Mapping[str, str]) -> Reply:
        """Somebody gives a slash command."""
        if person.role is None:
            await self._refuse(person, command, typed)
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
        found = replace(found, person=person)
        late = self.clock.now_ms() - found.asked_ms > CONFIRM_SECONDS * 1000
        if late or not confirmed:
            await self._note(found, "cancelled", "too late" if late else "")
            return Reply("That was too late. Ask again." if late else "Nothing was done.")
        if person.role != "trader":
            await self._note(found, "refused", "no role of theirs may any more")
            return Reply("You have no role that may do this.")
        await self._note(found, "confirmed")
        return Reply(await self._issue(found))

    async def _prepare(self, person: Person, command: str, typed: Mapping[str, str]) -> Reply:
        if command not in CHANGING:
            raise NotUnderstood(f"/{command[:32]} is none of mine")
        if person.role != "trader":
            await self._refuse(person, command, typed)
            return Reply("You have no role that may do this.")
        what = meant(command, typed, self.account, self.clock.now_ms())
        found = Pending(person, command, what, self.clock.now_ms(), await self.answers.before(what))
        await self._note(found, "asked")
        name = secrets.token_hex(8)
        while len(self.pending) >= _MOST_PENDING:
            del self.pending[next(iter(self.pending))]
        self.pending[name] = found
        return Reply(f"{what.question} (within {CONFIRM_SECONDS} s)", name)

    async def _issue(self, found: Pending) -> str:
        person = found.person
        reason = f"Discord: {person.name} ({person.identity}) in {person.place}"
        try:
            answer = await self.issuer.issue(found.what, reason)
        except ConfigurationError as error:
            await self._note(found, "refused", str(error.advice))
            return f"Nothing was done: {error.advice.what} ({error.advice.todo})."
        except UserError as error:
            await self._note(found, "unknown", str(error.advice))
            return f"It is not known whether this was done: {error.advice.what} ({error.advice.todo})."
        await self._note(found, "answered" if answer.accepted else "refused", answer.result, answer.command_id)
        return answer.result if answer.accepted else f"Refused: {answer.result}."

    async def _refuse(self, person: Person, command: str, typed: Mapping[str, str]) -> None:
        """Before it is known what is meant."""
        step = self._step(person, command, typed, "refused")
        change = Change(f"command.{command}", typed.get("symbol", self.account)) if command in CHANGING else None
        await self.trail.note(replace(step, detail="no role of theirs may"), change)

    async def _note(self, found: Pending, step: Step, detail: str = "", command_id: str | None = None) -> None:
        arguments = found.what.arguments
        change = Change(
            f"command.{found.command}", arguments.get("symbol", self.account), found.before, _after(found, step, detail)
        )
        noted = self._step(found.person, found.command, arguments, step)
        await self.trail.note(replace(noted, detail=detail, command_id=command_id), change)

    def _step(self, person: Person, command: str, typed: Mapping[str, str], step: Step) -> ChatStep:
        return ChatStep(
            at=instant(self.clock.now_ms()),
            person_id=person.identity,
            person=person.name,
            place=person.place,
            command=command,
            arguments=" ".join(f"{name}={value}" for name, value in sorted(typed.items())),
            step=step,
        )


def _after(found: Pending, step: Step, detail: str) -> Mapping[str, Any]:
    """How that stands after a step which the command is about."""
    before = found.before or {}
    match step, found.what.name:
        case "answered", "pause":
            return {"paused": True}
        case "answered", "lock":
            return {"locked_until_ms": int(found.what.arguments["until_ms"])}
        case "answered", _:
            return dict.fromkeys(before, detail)
        case "unknown", _:
            return dict.fromkeys(before, "not known")
    return before
