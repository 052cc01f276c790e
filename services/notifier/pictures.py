"""Pictures of a signal's last hours, from the trades that are stored; a message never waits long for one."""

import asyncio
from dataclasses import dataclass

from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.notify.chart import Bar, draw
from libs.notify.chart import Picture as Drawing
from libs.notify.facts import Picture
from libs.store.candles import CandleSpan, candles
from libs.store.engine import Engine, QuestionTooSlow, read_session

HOURS = 4
STEP_MS = 300_000
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoredPictures:
    """Draws from `agg_trades`."""

    engine: Engine

    async def make(self, picture: Picture) -> bytes | None:
        """The PNG; None when it cannot be had within `PATIENCE_SECONDS`, or nothing is stored of these hours."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                bars = await self._bars(picture)
                if not bars:
                    return None
                drawing = Drawing(f"{picture.symbol} · {HOURS} h", bars, STEP_MS, picture.levels)
                return await asyncio.to_thread(draw, drawing)
        except (UnreachableError, QuestionTooSlow, TimeoutError, ValueError, OSError) as error:
            get_logger("notifier").warning("a message goes without its picture", why=str(error) or type(error).__name__)
            return None

    async def _bars(self, picture: Picture) -> list[Bar]:
        start_ms = (picture.until_ms // STEP_MS + 1) * STEP_MS - HOURS * 3_600_000
        span = CandleSpan(picture.symbol, STEP_MS, start_ms, picture.until_ms + 1, HOURS * 3_600_000 // STEP_MS)
        async with read_session(self.engine, timeout_ms=int(PATIENCE_SECONDS * 1000)) as session:
            found = await candles(session, span)
        return [
            Bar(one.open_time_ms, float(one.open), float(one.high), float(one.low), float(one.close)) for one in found
        ]
