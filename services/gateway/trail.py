"""Audit rows of what cannot wait for a database that takes none: kept in memory, and written as soon as it does again."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.store.audit import Actor, Change, write_audit
from libs.store.engine import Engine, write_session

_PATIENCE_SECONDS = 3.0
_RETRY_SECONDS = 2.0
_MOST_OWED = 1_000


@dataclass(slots=True)
class Trail:
    """`owed`: rows that are not written yet; beyond a thousand nobody is told anything more that needs one."""

    owed: deque[tuple[Actor, Change]] = field(default_factory=deque)

    async def write(self, engine: Engine, actor: Actor, change: Change, *, must: bool) -> None:
        """Write a row. Raises what the database raises when it `must` stand there first."""
        try:
            async with asyncio.timeout(None if must else _PATIENCE_SECONDS):
                await _write(engine, actor, change)
        except Exception as error:  # away, hanging, full or read-only: what reduces risk is not refused for it
            if must or len(self.owed) >= _MOST_OWED:
                raise
            get_logger("gateway").warning(
                "an audit row waits for the database", action=change.action, why=_in_short(error)
            )
            self.owed.append((actor, change))

    async def pay(self, engine: Engine) -> None:
        """Write for ever what is owed, in its order unless a row is refused."""
        while True:
            for _ in range(len(self.owed)):
                try:
                    await _write(engine, *self.owed[0])
                except Exception as error:  # whatever it is, the gateway goes on, and no row is lost
                    get_logger("gateway").debug("audit rows still wait", count=len(self.owed), why=_in_short(error))
                    if isinstance(error, UserError):
                        break
                    self.owed.rotate(-1)  # a row that is refused for what it says must not hold up the others
                else:
                    self.owed.popleft()
            await asyncio.sleep(_RETRY_SECONDS)


def _in_short(error: Exception) -> str:
    """Its first line: those that follow may quote the row."""
    return str(error).partition("\n")[0] or type(error).__name__


async def _write(engine: Engine, actor: Actor, change: Change) -> None:
    async with write_session(engine) as session:
        await write_audit(session, actor, change)
