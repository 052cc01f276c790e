"""The venue's income statement: kept line by line, and funding told to the trade that paid it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from libs.exchanges.backoff import Backoff
from libs.exchanges.errors import VenueError
from libs.exchanges.trading import IncomeEntry
from libs.kit.durations import DAY_MS
from libs.kit.logging import get_logger
from libs.trading.execution.books import Page, Statement, StatementLine
from libs.trading.execution.facts import FundingPaid
from services.executor.afterwards import Afterwards
from services.executor.pages import Pages
from services.executor.ports import Ports
from services.executor.sending import FUNDING

EVERY_SECONDS = 120.0
TROUBLE_SECONDS = 4.0
"""After a reading that failed, then ever longer: what it was wanted for, funding of a trade perhaps, is wanted still."""
SOON_SECONDS = 1.0
"""So long the venue is given to write down what its stream has told."""
SETTLED_MS = 5 * 60_000
"""The venue tells some lines late: younger ones than this are read again."""
FIRST_MS = 7 * DAY_MS
MOST_MS = DAY_MS
MOST_AT_START = 8
"""Stretches that are read before the first message: a week, and what is left of a day. Whoever was away longer reads on beside
the signals."""
LONGEST_AT_START_SECONDS = 5.0
"""Between two attempts while signals wait for the statement."""
_LOGGER = get_logger("executor.statements")


@dataclass(slots=True)
class Statements:
    """`until_ms`: up to when every line is in the books; 0: none is. `read_at_start` is set once it was read after a start."""

    ports: Ports
    pages: Pages
    afterwards: Afterwards
    read_at_start: asyncio.Event
    until_ms: int = 0
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self) -> None:
        """A line has come that matters now."""
        self._wanted.set()

    async def run(self) -> None:
        """Read until cancelled. Its request weight (30) is why it is not read more often."""
        clock, left = self.ports.clock, MOST_AT_START
        at_start = Backoff(self.pages.options.trouble_pause_seconds, LONGEST_AT_START_SECONDS)
        trouble = Backoff(TROUBLE_SECONDS, EVERY_SECONDS)
        while True:
            seconds = EVERY_SECONDS
            try:
                is_behind = await self.read()
            except VenueError as error:
                _LOGGER.warning("the statement cannot be read", why=str(error))
                is_behind = False
                seconds = (trouble if self.read_at_start.is_set() else at_start).next_seconds()
            else:
                trouble.reset()
                left -= 1
                if left <= 0 or not is_behind:
                    self.read_at_start.set()
            if not is_behind:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wanted.wait()
                if self._wanted.is_set():
                    await clock.sleep(SOON_SECONDS * clock.speed)
                self._wanted.clear()

    async def read(self) -> bool:
        """One stretch of it; whether there is more to be read at once. Raises `VenueError`."""
        now_ms = self.ports.clock.now_ms()
        since_ms = self.until_ms or now_ms - FIRST_MS
        until_ms = min(now_ms, since_ms + MOST_MS)
        entries = await self.ports.venue.income(since_ms, until_ms)
        await self._hear(entries)
        kept_ms = min(until_ms, now_ms - SETTLED_MS)
        if kept_ms > since_ms:
            lines = [_line(one) for one in entries if one.time_ms < kept_ms]
            await self.pages.write(Page(statement=Statement(since_ms, kept_ms, lines)))
            self.until_ms = kept_ms
        return until_ms < now_ms

    async def _hear(self, entries: Sequence[IncomeEntry]) -> None:
        """Funding belongs to whoever held the symbol at its time, also when that is over by now."""
        for entry in entries:
            if entry.kind == FUNDING:
                for trade in self.afterwards.holders(entry.symbol, entry.time_ms):
                    paid = FundingPaid(entry.transaction_id, -entry.amount, entry.time_ms)
                    await self.afterwards.learn(trade.trade_id, paid)


def _line(entry: IncomeEntry) -> StatementLine:
    return StatementLine(
        kind=entry.kind,
        symbol=entry.symbol,
        amount=entry.amount,
        asset=entry.asset,
        time_ms=entry.time_ms,
        transaction_id=entry.transaction_id,
        trade_id=entry.trade_id,
        info=entry.info,
    )
