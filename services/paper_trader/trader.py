"""The loop: read, let the accounts go on, tell what changed, then keep state and rows in one transaction."""

import asyncio
import time
from dataclasses import dataclass, field

from libs.contracts.topics import PAPER
from libs.contracts.trading import PaperTradeChanged
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.kit.service import ServiceContext
from libs.store.instants import instant
from libs.store.paper import KeptPaper, PaperRows, packed
from libs.streaming.producer import Publisher
from services.paper_trader.core import Move, PaperCore
from services.paper_trader.keeping import Keeper
from services.paper_trader.log import PaperLog
from services.paper_trader.rows import add_rows, events
from services.paper_trader.state import dump

CAUGHT_UP = "caught up"
_FETCH_MS = 200
_ADVANCE_SECONDS = 0.25
# With fills to tell, the accounts are kept at once, but not more often than this: a catching-up log is full of them.
_SOONEST_SECONDS = 0.5
_CURRENT_MS = 60_000
_LOGGER = get_logger("paper_trader")


@dataclass(slots=True)
class Unwritten:
    """What the accounts have done since they were kept."""

    rows: PaperRows = field(default_factory=PaperRows)
    events: list[PaperTradeChanged] = field(default_factory=list)
    moved: bool = False
    urgent: bool = False


@dataclass(slots=True)
class Trader:
    """`number`: of the state that stands in PostgreSQL, None without one; `generation`: of the log."""

    context: ServiceContext
    keeper: Keeper
    producer: Publisher
    log: PaperLog
    core: PaperCore
    generation: str
    number: int | None
    save_seconds: float
    _unwritten: Unwritten = field(default_factory=Unwritten)
    _kept_at: float = 0.0
    _advanced_at: float = 0.0

    async def run(self) -> None:
        """Until told to stop; then what is done is kept. Raises `OffsetConflict` when another paper trader writes."""
        while not self.context.stopping.is_set():
            came = await self.log.fetch(_FETCH_MS)
            if not came or time.monotonic() - self._advanced_at >= _ADVANCE_SECONDS:
                await self._advance()
            if self._due():
                await self._keep()
        if self._unwritten.moved:
            await self._keep()

    async def _advance(self) -> None:
        await self.log.settle_doubts()
        move = await asyncio.to_thread(self.core.advance)
        self._advanced_at = time.monotonic()
        self._report()
        if move is None:
            return
        add_rows(self._unwritten.rows, move, self.core.accounts.terms)
        self._unwritten.events += events(move)
        self._unwritten.moved = True
        self._unwritten.urgent |= any(account.not_taken for account in move.accounts) or bool(self._unwritten.events)
        _count(move)

    def _due(self) -> bool:
        since = time.monotonic() - self._kept_at
        wait = _SOONEST_SECONDS if self._unwritten.urgent else self.save_seconds
        return self._unwritten.moved and since >= wait

    async def _keep(self) -> None:
        """Events first, acknowledged: a repetition has the same ids, and what was never told could not be told again."""
        unwritten, self._unwritten = self._unwritten, Unwritten()
        sent = [await self.producer.send(PAPER, each, key=each.position_id, partition=0) for each in unwritten.events]
        if sent:
            await asyncio.gather(*sent)
        state = await packed(await asyncio.to_thread(dump, self.core))
        kept = KeptPaper(self.number or 0, self.generation, instant(self.core.now_ms), state)
        number = await self.keeper.keep(self.number, kept, unwritten.rows)
        if number is None:
            return
        self.number, self._kept_at = number, time.monotonic()
        counter("perpstream_rows_written_total").labels("paper_trades").inc(len(unwritten.rows.trades))

    def _report(self) -> None:
        noticed, self.core.noticed.passed_over = self.core.noticed.passed_over, {}
        for what, count in noticed.items():
            counter("perpstream_paper_passed_over_total").labels(what).inc(count)
        assumed, self.core.noticed.assumed = self.core.noticed.assumed, []
        for symbol, instant_ms in assumed:
            _LOGGER.warning(
                "no settled funding rate came: the last estimate stands in", symbol=symbol, at_ms=instant_ms
            )
        behind_ms = max(0, self.core.newest_ms - self.core.now_ms)
        gauge("perpstream_paper_behind_seconds").labels("paper_trader").set(behind_ms / 1000)
        self.context.details["market_time_ms"] = self.core.now_ms
        self.context.details["waits_for"] = self.core.waits_for
        if behind_ms <= _CURRENT_MS and self.core.newest_ms:
            self.context.fulfil(CAUGHT_UP)
        else:
            self.context.miss(CAUGHT_UP, f"{behind_ms / 1000:.0f} s of the market behind: {self.core.waits_for}")


def _count(move: Move) -> None:
    for account in move.accounts:
        gauge("perpstream_paper_balance").labels(account.strategy).set(float(account.risk.balance))
        gauge("perpstream_paper_open_positions").labels(account.strategy).set(
            sum(position.state == "open" for position in account.positions)
        )
        closed = counter("perpstream_paper_trades_total")
        for outcome in account.outcomes:
            closed.labels(account.strategy, outcome.exit_reason).inc()
