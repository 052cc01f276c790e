"""On paper the executor holds no keys and needs no venue: each signal ends here as refused, once, and the paper trader trades."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.commands import CommandIssued
from libs.contracts.event import Event
from libs.contracts.identity import digest
from libs.contracts.signals import SignalScored
from libs.contracts.trading import ExecutorReported, RiskStateChanged
from libs.kit.durations import DAY_MS
from libs.kit.errors import UnreachableError
from libs.trading.command_check import TrustedKeys
from libs.trading.commands import ChangeConfig, Command
from libs.trading.execution.books import Kept, Page, Place
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade
from libs.trading.execution.wish import REFUSALS, refusal, refused, unusable
from services.executor.intake import Came
from services.executor.obeying import Effect, Obeying, change_of, refusing
from services.executor.pages import Pages
from services.executor.telling import Teller


@dataclass(slots=True)
class PaperExecutor:
    """`ready` is set once the books are read: then signals may come."""

    pages: Pages
    keys: TrustedKeys
    teller: Teller
    config: LiveConfig = field(default_factory=LiveConfig)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    kept: Kept | None = None
    obeying: Obeying = field(init=False)
    _known: set[str] = field(default_factory=set)
    _number: int = 0

    def __post_init__(self) -> None:
        self.obeying = Obeying(self.pages, self.teller, self.keys, self._effect_of, self._configured)

    async def run(self) -> None:
        """Wait for the lease, read the books, then work until cancelled. Raises `LeaseLost`."""
        lease = await self.pages.acquire()
        self.kept = await self.pages.books.load(lease)
        self.config = self.kept.config or self.config
        self.obeying.nonces = dict(self.kept.nonces)
        self._known = set(self.kept.ended) | {trade.trade_id for trade in self.kept.trades}
        for trade in self.kept.lately:
            # Whoever was before us may have died before it could tell.
            self.pages.outlet.publish(self.teller.tell(None, trade).told)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pages.run())
            group.create_task(self.pages.keep_lease())
            group.create_task(self._report())
            self.ready.set()

    @property
    def compared(self) -> asyncio.Event:
        """There is no account to be compared with, and no statement: the books are all."""
        return self.ready

    @property
    def offsets(self) -> Mapping[Place, int]:
        """Where reading goes on."""
        return self.kept.offsets if self.kept is not None else {}

    def on_risk_state(self, event: RiskStateChanged) -> None:
        """Nothing is entered here, whatever the guard says."""

    async def on_signals(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Signals of one partition, in order; all of them are in the books when this returns."""
        trades: dict[str, Trade] = {}
        offsets: dict[Place, int] = {}
        now_ms, account = self.pages.clock.now_ms(), self.pages.options.account
        for event, came in records:
            offsets[came.place] = came.next_offset
            if not isinstance(event, SignalScored) or event.state != "emitted" or unusable(event) is not None:
                continue
            if not await self._is_known(event, now_ms):
                trades[event.event_id] = refused(event, account, refusal("paper_mode"), now_ms)
        if not trades:
            self.pages.remember(offsets)
            return
        said = [self.teller.tell(None, trade) for trade in trades.values()]
        page = Page(trades=tuple(trades.values()), events=[one for each in said for one in each.kept], offsets=offsets)
        await self.pages.write(page, [one for each in said for one in each.told])
        self._known |= trades.keys()

    async def on_commands(self, records: Sequence[tuple[Event | None, Came]]) -> None:
        """Commands, in order: what may trade may be changed on paper, too."""
        await self.obeying.take(records)

    async def _is_known(self, signal: SignalScored, now_ms: int) -> bool:
        if signal.event_id in self._known:
            return True
        while now_ms - signal.event_time_ms > DAY_MS:  # Older than what the start has read: only the books know.
            try:
                return await self.pages.books.has_trade(signal.event_id)
            except UnreachableError:
                await self.pages.pause_in_trouble()
        return False

    async def _effect_of(self, event: CommandIssued, command: Command) -> Effect:
        if isinstance(command, ChangeConfig):
            return change_of(self.config, command)
        return refusing(f"{event.command}: {REFUSALS['paper_mode']}")

    def _configured(self, config: LiveConfig) -> None:
        self.config = config

    async def _report(self) -> None:
        clock, options = self.pages.clock, self.pages.options
        while True:
            self._number += 1
            epoch = self.pages.lease.epoch if self.pages.lease is not None else 0
            report = ExecutorReported(
                event_id=digest("executor", options.account, options.owner, epoch, self._number),
                event_time_ms=clock.now_ms(),
                account=options.account,
                mode="paper",
                epoch=epoch,
                entries_allowed=False,
                reasons=(REFUSALS["paper_mode"],),
                reconciled_at_ms=0,
                reconciliation_clean=True,
                config_version=self.config.version,
                held=(),
                orders_last_minute=0,
                heartbeat=self._number,
            )
            self.pages.outlet.publish([report])
            await clock.sleep(options.report_seconds)
