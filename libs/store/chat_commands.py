"""What people asked for in a chat, step by step: only ever added to, together with the audit's row of it."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from libs.store.audit import Actor, Change, write_audit
from libs.store.engine import Engine, write_session

Step = Literal["asked", "refused", "confirmed", "cancelled", "said", "answered", "unknown"]
_ADD = text("""
INSERT INTO notice_commands (at, person_id, person, place, command, arguments, step, detail, command_id)
VALUES (:at, :person_id, :person, :place, :command, :arguments, :step, :detail, :command_id)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatStep:
    """A row of `notice_commands`. `person_id`: the chat's own id of who asked; `place`: where, as the chat names it;
    `arguments`: in words; `command_id`: of the command that was issued, None before one was."""

    at: dt.datetime
    person_id: str
    person: str
    place: str
    command: str
    arguments: str
    step: Step
    detail: str = ""
    command_id: str | None = None


async def note_chat(engine: Engine, step: ChatStep, audited: tuple[Actor, Change] | None = None) -> None:
    """Add a step, and the audit's row in the same transaction. Raises `UnreachableError`."""
    async with write_session(engine) as session:
        await session.connection.execute(_ADD, {name: getattr(step, name) for name in step.__slots__})
        if audited is not None:
            await write_audit(session, *audited)
