"""Audit rows of what cannot wait for a database that is away: kept in memory, and written as soon as it is back."""

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
        except (UserError, TimeoutError) as error:
            if must or len(self.owed) >= _MOST_OWED:
                raise
            get_logger("gateway").warning("an audit row waits for the database", action=change.action, why=str(error))
            self.owed.append((actor, change))

    async def pay(self, engine: Engine) -> None:
        """Write for ever what is owed, in its order."""
        while True:
            try:
                while self.owed:
                    await _write(engine, *self.owed[0])
                    self.owed.popleft()
            except (UserError, TimeoutError) as error:
                get_logger("gateway").debug("audit rows still wait", count=len(self.owed), why=str(error))
            await asyncio.sleep(_RETRY_SECONDS)


async def _write(engine: Engine, actor: Actor, change: Change) -> None:
    async with write_session(engine) as session:
        await write_audit(session, actor, change)
