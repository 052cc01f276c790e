"""What people asked for in the chat, step by step: in its own table, and what would change something in the audit too."""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.store.audit import Actor, Change
from libs.store.chat_commands import ChatStep, note_chat
from libs.store.engine import Engine

_PATIENCE_SECONDS = 5.0
_RETRY_SECONDS = 2.0
_MOST_OWED = 1_000


@dataclass(slots=True)
class ChatTrail:
    """`owed`: steps that are not written yet, in their order. They wait in memory: whoever wants to make the account smaller is
    not stopped by a table, and both the log and the signed command say who it was."""

    engine: Engine
    owed: deque[tuple[ChatStep, Change | None]] = field(default_factory=lambda: deque(maxlen=_MOST_OWED))
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def note(self, step: ChatStep, change: Change | None = None) -> None:
        """Keep a step. `change`: what it would change or has, for the audit."""
        get_logger("notifier").info(
            "chat",
            person=step.person,
            id=step.person_id,
            command=step.command,
            step=step.step,
            words=step.arguments,
        )
        self.owed.append((step, None if change is None else _with_words(change, step)))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._pay_all()
        except (UnreachableError, TimeoutError):
            get_logger("notifier").error("a step of the chat waits for the database", command=step.command)

    async def pay(self) -> None:
        """Write for ever what is owed."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                await self._pay_all()
            except UnreachableError:
                continue

    async def _pay_all(self) -> None:
        async with self._writing:
            while self.owed:
                step, change = self.owed[0]
                try:
                    await note_chat(self.engine, step, None if change is None else (_actor(step), change))
                except UnreachableError:
                    raise
                except Exception as error:  # one that no table takes must not hold up the others
                    why = str(error).partition("\n")[0]
                    get_logger("notifier").error("a step of the chat cannot be kept", command=step.command, why=why)
                self.owed.popleft()


def _actor(step: ChatStep) -> Actor:
    """Not to be taken for an account of ours, whatever somebody calls themselves there."""
    return Actor(f"Discord: {step.person} ({step.person_id})", address=f"Discord: {step.place}")


def _with_words(change: Change, step: ChatStep) -> Change:
    said = {
        "step": step.step,
        "arguments": step.arguments or None,
        "detail": step.detail or None,
        "command_id": step.command_id,
        "said_ms": round(step.at.timestamp() * 1000),
    }
    return replace(change, after={**(change.after or {}), **{name: value for name, value in said.items() if value}})
