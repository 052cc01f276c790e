"""Writing into the audit what became of the commands that people have said here, as soon as it is heard."""

import asyncio
from dataclasses import dataclass, field

from libs.contracts.commands import CommandAnswered
from libs.kit.logging import get_logger
from libs.store.audit_outcomes import Outcome, write_outcomes
from libs.store.engine import Engine, write_session
from services.gateway.issuing import ISSUER
from services.gateway.newest import Newest
from services.gateway.trail import Trail

_LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Outcomes:
    """`words`: where answers are heard, those too that were given while no gateway was there; `trail`: which rows of commands are
    not written yet."""

    words: Newest
    trail: Trail
    _done: set[str] = field(default_factory=set)

    async def follow(self, engine: Engine) -> None:
        """Write for ever what is heard. A database that is away is waited for: the answers stay in their topic."""
        while True:
            try:
                await self.write(engine)
            except Exception as error:  # whatever it is, the gateway goes on
                get_logger("gateway").debug("outcomes of commands wait", why=str(error).partition("\n")[0])
            await asyncio.sleep(_LOOK_SECONDS)

    async def write(self, engine: Engine) -> None:
        """Write what was heard since the last time."""
        heard = [answer for answer in self.words.answers if answer.issued_by == ISSUER]
        self._done &= {answer.event_id for answer in heard}
        news = [answer for answer in heard if answer.event_id not in self._done]
        if not news:
            return
        is_whole = not self.trail.owed
        async with write_session(engine) as session:
            known = await write_outcomes(session, [_outcome(answer) for answer in news])
        self._done |= {answer.event_id for answer in news if is_whole or answer.command_id in known}


def _outcome(answer: CommandAnswered) -> Outcome:
    return Outcome(
        command_id=answer.command_id,
        account=answer.account,
        command=answer.command,
        by=answer.target,
        accepted=answer.accepted,
        result=answer.result,
        answered_ms=answer.event_time_ms,
    )
