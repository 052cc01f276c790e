"""Writing the accounts down: again and again while the database is away, and once, whatever is heard of it."""

import asyncio
from dataclasses import dataclass

from libs.kit.errors import TryAgain
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.store.engine import Engine, write_session
from libs.store.paper import KeptPaper, PaperRows, write_paper, written_before
from libs.store.trouble import sorted_trouble

WRITING = "rows are being written"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_LOGGER = get_logger("paper_trader")


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes states with their rows, one after the other."""

    context: ServiceContext
    engine: Engine
    first_pause_seconds: float = _FIRST_PAUSE_SECONDS

    async def keep(self, old: int | None, kept: KeptPaper, rows: PaperRows) -> int | None:
        """The number of the state that follows `old`, once it stands; None when it was stopped before: the next start reads the
        log again. Raises `OffsetConflict` when another paper trader has written."""
        pause, unclear = self.first_pause_seconds, False
        while True:
            try:
                number = await self._write(old, kept, rows, unclear=unclear)
                self.context.fulfil(WRITING)
                return number
            except TryAgain as problem:
                unclear = True
                self.context.miss(WRITING, problem.detail)
                _LOGGER.warning("trying again", why=problem.detail, after_seconds=pause)
                if self.context.stopping.is_set():
                    return None
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _write(self, old: int | None, kept: KeptPaper, rows: PaperRows, *, unclear: bool) -> int:
        """`unclear`: a commit of this may have been done, with only its acknowledgement lost; it is looked for then."""
        async with sorted_trouble(), write_session(self.engine) as session:
            if unclear and (number := await written_before(session, old, kept)) is not None:
                return number
            return await write_paper(session, old, kept, rows)
