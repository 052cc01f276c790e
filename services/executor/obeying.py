"""Commands of people: checked, kept with their nonces before anything follows from them, and answered."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.contracts.commands import CommandIssued, answered
from libs.contracts.event import Event
from libs.contracts.identity import digest
from libs.kit.durations import DAY_MS
from libs.trading.command_check import CommandRefused, TrustedKeys, check_command
from libs.trading.commands import ChangeConfig, Command, CommandInvalid
from libs.trading.execution.books import LiveEvent, Obeyed, Page, Place
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.config_change import changed_config
from services.executor.intake import Came
from services.executor.pages import Pages
from services.executor.telling import Teller

KEPT_AFTER_EXPIRY_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: `accepted` false: it changed nothing."""

    accepted: bool
    sentence: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command does, decided before it is kept. `write`: writes the page with what follows from the command; `config`:
    what may trade from now on; `afterwards`: what is done once the page stands, and gives another answer."""

    answer: Answer
    write: Callable[[Page], Awaitable[None]] | None = None
    config: LiveConfig | None = None
    afterwards: Callable[[], Awaitable[Answer]] | None = None


def refusing(sentence: str, **details: str) -> Effect:
    """It changes nothing."""
    return Effect(Answer(False, sentence, details))


def change_of(config: LiveConfig, command: ChangeConfig) -> Effect:
    """The next version of what may trade."""
    try:
        found = changed_config(config, command)
    except CommandInvalid as error:
        return refusing(str(error))
    names = ", ".join(command.changes)
    return Effect(Answer(True, f"version {found.version}: {names}", {"version": str(found.version)}), config=found)


@dataclass(slots=True)
class Obeying:
    """`effect_of`: what a command that counts does; `configured`: called with a new configuration that is kept; `spawn`: begins
    what runs beside, so that a long comparison keeps no command waiting; None: it is waited for. `nonces`: of commands that
    counted, with their expiry (ms)."""

    pages: Pages
    teller: Teller
    keys: TrustedKeys
    effect_of: Callable[[CommandIssued, Command], Awaitable[Effect]]
    configured: Callable[[LiveConfig], None]
    spawn: Callable[[Coroutine[Any, Any, None]], None] | None = None
    nonces: dict[str, int] = field(default_factory=dict)

    async def take(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Commands in order; those for others are passed over."""
        account = self.pages.options.account
        for event, came in records:
            offsets = {came.place: came.next_offset}
            if isinstance(event, CommandIssued) and event.account == account and event.target == "executor":
                await self._obey(event, offsets)
            else:
                self.pages.remember(offsets)

    async def _obey(self, event: CommandIssued, offsets: Mapping[Place, int]) -> None:
        now_ms = self.pages.clock.wall_ms()
        self.nonces = {one: until for one, until in self.nonces.items() if until + KEPT_AFTER_EXPIRY_MS > now_ms}
        command = check_command(event, self.keys, self.nonces, now_ms)
        if isinstance(command, CommandRefused):
            await self._refuse(event, command, offsets)
            return
        self.nonces[event.nonce] = event.expires_at_ms
        effect = await self.effect_of(event, command)
        page = Page(obeyed=(_obeyed(event, effect.answer, now_ms),), offsets=dict(offsets), config=effect.config)
        await (effect.write or self.pages.write)(page)
        if effect.config is not None:
            self.configured(effect.config)
        if effect.afterwards is None:
            self._answer(event, effect.answer)
        elif self.spawn is None:
            await self._answer_later(event, effect.afterwards)
        else:
            self.spawn(self._answer_later(event, effect.afterwards))

    async def _answer_later(self, event: CommandIssued, afterwards: Callable[[], Awaitable[Answer]]) -> None:
        self._answer(event, await afterwards())

    async def _refuse(self, event: CommandIssued, why: CommandRefused, offsets: Mapping[Place, int]) -> None:
        """It changes nothing, and is reported; its nonce stays free, because anybody could have written it."""
        kept = LiveEvent(
            event_id=digest("command_refused", event.event_id.replace("|", "/"), why.why, *sorted(offsets.values())),
            kind="command_refused",
            time_ms=self.pages.clock.wall_ms(),
            detail={"command": event.command, "by": event.issued_by[:64], "why": why.why, "sentence": why.sentence},
        )
        alert = self.teller.command_refused(event, why.sentence, kept)
        await self.pages.write(Page(events=(kept,), offsets=dict(offsets)), [alert])
        self._answer(event, Answer(False, why.sentence, {"why": why.why}))

    def _answer(self, event: CommandIssued, answer: Answer) -> None:
        at_ms = self.pages.clock.wall_ms()
        said = answered(event, answer.sentence, at_ms, accepted=answer.accepted, details=dict(answer.details))
        self.pages.outlet.publish([said])


def _obeyed(event: CommandIssued, answer: Answer, now_ms: int) -> Obeyed:
    return Obeyed(
        command_id=event.event_id,
        nonce=event.nonce,
        issuer=event.issued_by,
        command=event.command,
        arguments=event.arguments,
        reason=event.reason,
        accepted=answer.accepted,
        result=answer.sentence,
        time_ms=now_ms,
        expires_ms=event.expires_at_ms,
    )
