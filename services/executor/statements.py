"""The venue's income statement: kept line by line, and funding told to the trade that paid it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from libs.exchanges.errors import VenueError
from libs.exchanges.trading import IncomeEntry
from libs.kit.durations import DAY_MS
from libs.kit.logging import get_logger
from libs.trading.execution.books import Page, Statement, StatementLine
from libs.trading.execution.document import Trade
from libs.trading.execution.facts import FundingPaid
from services.executor.desk import Desk
from services.executor.pages import Pages
from services.executor.ports import Ports
from services.executor.sending import FUNDING

EVERY_SECONDS = 60.0
SETTLED_MS = 5 * 60_000
"""The venue tells some lines late: younger ones than this are read again."""
FIRST_MS = 7 * DAY_MS
MOST_MS = DAY_MS
_LOGGER = get_logger("executor.statements")


@dataclass(slots=True)
class Statements:
    """`until_ms`: up to when every line is in the books; 0: none is."""

    ports: Ports
    pages: Pages
    desk_of: Callable[[str], Desk]
    trades: Callable[[], Mapping[str, Trade]]
    until_ms: int = 0

    async def run(self) -> None:
        """Read until cancelled. Its request weight (30) is why it is not read more often."""
        clock = self.ports.clock
        while True:
            try:
                is_behind = await self.read()
            except VenueError as error:
                _LOGGER.warning("the statement cannot be read", why=str(error))
                is_behind = False
            if not is_behind:
                await clock.sleep(EVERY_SECONDS * clock.speed)

    async def read(self) -> bool:
        """One stretch of it; whether there is more to be read at once. Raises `VenueError`."""
        now_ms = self.ports.clock.now_ms()
        since_ms = self.until_ms or now_ms - FIRST_MS
        until_ms = min(now_ms, since_ms + MOST_MS)
        entries = await self.ports.venue.income(since_ms, until_ms)
        self._hear(entries)
        kept_ms = min(until_ms, now_ms - SETTLED_MS)
        if kept_ms > since_ms:
            lines = [_line(one) for one in entries if one.time_ms < kept_ms]
            await self.pages.write(Page(statement=Statement(since_ms, kept_ms, lines)))
            self.until_ms = kept_ms
        return until_ms < now_ms

    def _hear(self, entries: Sequence[IncomeEntry]) -> None:
        """Funding belongs to whoever held the symbol at its time."""
        for entry in entries:
            if entry.kind != FUNDING:
                continue
            for trade in self.trades().values():
                if trade.symbol == entry.symbol and 0 < trade.times.first_fill_ms <= entry.time_ms:
                    paid = FundingPaid(entry.transaction_id, -entry.amount, entry.time_ms)
                    self.desk_of(trade.symbol).hear(trade.trade_id, [paid])


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
