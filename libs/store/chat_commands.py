"""What people asked for in a chat, step by step: written before anything follows from it, and only ever added to."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from libs.store.engine import Engine, read_session, write_session

Step = Literal["asked", "refused", "confirmed", "cancelled", "said", "answered", "unknown"]
_ADD = text("""
INSERT INTO notice_commands (at, person_id, person, place, command, arguments, step, detail, command_id)
VALUES (:at, :person_id, :person, :place, :command, :arguments, :step, :detail, :command_id)
""")
_LIST = text(
    "SELECT at, person_id, person, place, command, arguments, step, detail, command_id FROM notice_commands"
    " ORDER BY at DESC, entry DESC LIMIT :most"
)


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


async def note_chat(engine: Engine, step: ChatStep) -> None:
    """Add a step. Raises `UnreachableError`: what cannot be noted is not done."""
    async with write_session(engine) as session:
        await session.connection.execute(_ADD, {name: getattr(step, name) for name in step.__slots__})


async def chat_steps(engine: Engine, most: int = 100) -> list[ChatStep]:
    """The newest first."""
    async with read_session(engine) as session:
        return [ChatStep(**row._mapping) for row in (await session.connection.execute(_LIST, {"most": most})).all()]
