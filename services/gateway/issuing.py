"""The gateway as an issuer of commands: its own key, what it has said, and waiting for what becomes of it.

The id of a command follows from who asks and their idempotency key, so that the same request again is the same command: here
its answer is given once more, and a service that has obeyed it refuses it by its nonce, also after a restart of ours.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from libs.contracts.commands import CommandAnswered, CommandIssued, CommandName
from libs.kit.errors import UnreachableError
from libs.kit.keys import PRIVATE, PersonalKey, new_key, read_key
from libs.kit.logging import get_logger
from libs.streaming.commands import CommandDesk, CommandNotAcknowledged
from libs.trading.issuing import Wish, signed_command
from services.gateway.newest import Newest

ISSUER = "gateway"
"""The name of our key: whoever trusts it obeys everybody who may tell us."""
_KEPT = 5_000
_LOOK_SECONDS = 0.05
_FAILED = (
    "the request that came first with this idempotency key has failed, and its command is not known to have been said:"
    " ask again with the same key"
)


def issuer_key(state_dir: Path) -> PersonalKey:
    """Our key in the state folder (mode 600), made at the first start. Raises `ConfigurationError` for a wrong one."""
    folder = state_dir / "keys"
    return read_key(folder, ISSUER) if (folder / f"{ISSUER}{PRIVATE}").exists() else new_key(folder, ISSUER)


def nonce_of(user_id: str, idempotency_key: str) -> str:
    """The nonce of a request, 32 hexadecimal digits: another person's key of the same text is another one."""
    return hashlib.blake2b(f"{user_id}\n{idempotency_key}".encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Said:
    """A command, and its answer once it is there."""

    command: CommandIssued
    answer: CommandAnswered | None = None


@dataclass(slots=True)
class Issuer:
    """`words`: what is heard on the topics of commands and answers."""

    desk: CommandDesk
    key: PersonalKey
    words: Newest
    now: Callable[[], float] = time.time
    _said: dict[str, Said] = field(default_factory=dict)

    def signed(self, wish: Wish, nonce: str) -> CommandIssued:
        """The command; raises `CommandInvalid`."""
        return signed_command(wish, self.key, int(self.now() * 1000), nonce)

    def known(self, command_id: str) -> Said | None:
        """What was said under this id and what became of it, as far as it is remembered."""
        said = self._said.get(command_id)
        if said is None:
            heard = next((each for each in self.words.commands if each.event_id == command_id), None)
            if heard is None:
                return None
            said = Said(heard)
        if said.answer is None or not said.answer.accepted:
            said.answer = self._answer(said.command) or said.answer
        return said

    def unanswered(self, name: CommandName, account: str) -> list[Said]:
        """What we have said of this kind that may still be obeyed and has no answer yet, in order."""
        now_ms = int(self.now() * 1000)
        mine = (said.command for said in self._said.values())
        open_ones = [
            one for one in mine if (one.command, one.account) == (name, account) and one.expires_at_ms > now_ms
        ]
        found = (self.known(one.event_id) for one in open_ones)
        return [said for said in found if said is not None and said.answer is None]

    def _answer(self, command: CommandIssued) -> CommandAnswered | None:
        """The answer that counts: one that accepts, else the first; a record that came twice is refused the second time."""
        found = [each for each in self.words.answers if _is_to(each, command)]
        return next((each for each in found if each.accepted), found[0] if found else None)

    def begin(self, command: CommandIssued) -> Said:
        """Remember it as said by us."""
        while len(self._said) >= _KEPT:
            del self._said[next(iter(self._said))]
        self._said[command.event_id] = Said(command)
        return self._said[command.event_id]

    def give_up(self, command: CommandIssued) -> None:
        """It was not said after all."""
        self._said.pop(command.event_id, None)

    async def say(self, command: CommandIssued) -> None:
        """Append it. Raises `UnreachableError` where nothing was sent; what may have been sent counts as said."""
        try:
            await self.desk.issue(command)
        except CommandNotAcknowledged as error:
            get_logger("gateway").warning("a command may not have been said", command=command.event_id, why=str(error))

    async def hear(self, command_id: str, patience_seconds: float) -> Said:
        """What is known once the answer is there, or the patience is over. Raises `UnreachableError` where the
        request that was to say it has failed meanwhile."""
        until = time.monotonic() + patience_seconds
        while True:
            said = self.known(command_id)
            if said is None:
                raise UnreachableError(
                    _FAILED, where="the topic of commands", todo="ask again with the same idempotency key"
                )
            if said.answer is not None or time.monotonic() >= until:
                return said
            await asyncio.sleep(_LOOK_SECONDS)


def _is_to(answer: CommandAnswered, command: CommandIssued) -> bool:
    asked = (command.event_id, command.account, command.target)
    return (answer.command_id, answer.account, answer.target) == asked
