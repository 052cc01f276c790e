"""Books in memory that behave as those in PostgreSQL do, on a clock of the test's: for executors that run in one process.

`tests/libs/store/test_books_alike.py` shows that both answer alike.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from libs.kit.durations import DAY_MS
from libs.store.live_rows import packed
from libs.trading.execution.books import (
    GUARD_BROKE,
    GUARD_WORKS,
    ConfigTaken,
    Kept,
    Lease,
    LeaseLost,
    LiveEvent,
    NonceTaken,
    Obeyed,
    Page,
    Place,
    StatementLine,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade


async def _nothing(moment: str) -> None:
    """Nothing goes wrong."""


@dataclass
class MemoryDatabase:
    """What several executors of one account share. `now`: seconds of the database's clock.

    `gate` is called as "before write", "after write" and so on around every call: it may wait, or raise `UnreachableError`;
    after "after write" the page stands although its acknowledgement is lost.
    """

    now: Callable[[], float]
    gate: Callable[[str], Awaitable[None]] = _nothing
    owner: str = ""
    epoch: int = 0
    expires: float = float("-inf")
    trades: dict[str, str] = field(default_factory=dict)
    events: dict[str, LiveEvent] = field(default_factory=dict)
    obeyed: dict[str, Obeyed] = field(default_factory=dict)
    configs: dict[int, LiveConfig] = field(default_factory=dict)
    offsets: dict[Place, int] = field(default_factory=dict)
    statement: dict[tuple[object, ...], StatementLine] = field(default_factory=dict)
    statement_span: tuple[int, int] = (0, 0)

    def documents(self) -> dict[str, Trade]:
        """Every trade that was written, by its id."""
        return {name: msgspec.json.decode(document, type=Trade) for name, document in self.trades.items()}

    def guard_broke(self) -> bool:
        """Whether the newest event of the guard tells of a break."""
        told = [one for one in self.events.values() if one.kind in (GUARD_BROKE, GUARD_WORKS)]
        return bool(told) and max(told, key=lambda one: (one.time_ms, one.event_id)).kind == GUARD_BROKE


class MemoryBooks:
    """One executor's view of them. `monotonic`: seconds of that process."""

    def __init__(self, database: MemoryDatabase, account: str, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._account = account
        self._monotonic = monotonic
        self.lease_seconds = 10.0

    async def acquire(self, owner: str) -> Lease | None:
        asked, kept = self._monotonic(), self._database
        await kept.gate("before acquire")
        if kept.expires > kept.now():
            return None
        kept.owner, kept.epoch, kept.expires = owner, kept.epoch + 1, kept.now() + self.lease_seconds
        taken = Lease(self._account, owner, kept.epoch, asked + self.lease_seconds)
        await kept.gate("after acquire")
        return taken

    async def renew(self, lease: Lease) -> Lease:
        asked, kept = self._monotonic(), self._database
        await kept.gate("before renew")
        self._prove(lease)
        kept.expires = kept.now() + self.lease_seconds
        await kept.gate("after renew")
        return Lease(self._account, lease.owner, lease.epoch, asked + self.lease_seconds)

    async def release(self, lease: Lease) -> None:
        await self._database.gate("before release")
        if self._database.epoch == lease.epoch:
            self._database.expires = self._database.now()
        await self._database.gate("after release")

    async def load(self, lease: Lease) -> Kept:
        kept = self._database
        await kept.gate("before load")
        self._prove(lease)
        trades = kept.documents().values()
        now_ms = kept.now() * 1000
        found = Kept(
            [trade for trade in trades if not trade.is_final],
            frozenset(trade.trade_id for trade in trades if trade.is_final),
            kept.configs[max(kept.configs)] if kept.configs else None,
            dict(kept.offsets),
            {nonce: each.expires_ms for nonce, each in kept.obeyed.items() if each.expires_ms > now_ms - DAY_MS},
            kept.statement_span[1],
            [trade for trade in trades if trade.is_final],
            kept.guard_broke(),
        )
        await kept.gate("after load")
        return found

    async def write(self, lease: Lease, page: Page) -> None:
        kept = self._database
        await kept.gate("before write")
        self._prove(lease)
        obeyed: dict[str, Obeyed] = {}
        for each in page.obeyed:
            if (kept.obeyed | obeyed).get(each.nonce, each) != each:
                raise NonceTaken(each.nonce)
            obeyed[each.nonce] = each
        if page.config and kept.configs.get(page.config.version, page.config) != page.config:
            raise ConfigTaken(page.config.version)
        if page.config:
            kept.configs[page.config.version] = page.config
        kept.obeyed |= obeyed
        kept.trades |= {trade.trade_id: packed(trade) for trade in page.trades}
        kept.events = {event.event_id: event for event in page.events} | kept.events
        kept.offsets |= page.offsets
        self._add_statement(page)
        await kept.gate("after write")

    async def has_trade(self, trade_id: str) -> bool:
        await self._database.gate("before has_trade")
        found = trade_id in self._database.trades
        await self._database.gate("after has_trade")
        return found

    def _add_statement(self, page: Page) -> None:
        kept, given = self._database, page.statement
        if given is None:
            return
        lines = {(line.kind, line.transaction_id, line.asset, line.symbol): line for line in reversed(given.lines)}
        kept.statement = lines | kept.statement
        begin, end = kept.statement_span
        meets = given.since_ms <= end and given.until_ms >= begin
        kept.statement_span = (
            (min(begin, given.since_ms), max(end, given.until_ms)) if meets else (given.since_ms, given.until_ms)
        )

    def _prove(self, lease: Lease) -> None:
        if self._database.epoch != lease.epoch or self._database.expires <= self._database.now():
            raise LeaseLost(f"the lease {lease.epoch} of {lease.account} is over")
