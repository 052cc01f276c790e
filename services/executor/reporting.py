"""The executor's heartbeat: what it holds, and what keeps it from opening anything."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from libs.contracts.identity import digest
from libs.contracts.trading import ExecutorReported
from libs.trading.execution.document import Trade
from libs.trading.execution.tellings import trade_event
from services.executor.desk import Desk
from services.executor.permission import Permission
from services.executor.ports import Ports

MINUTE_SECONDS = 60.0


@dataclass(slots=True)
class Reporting:
    """`number` counts heartbeats of this process."""

    ports: Ports
    permission: Permission
    desks: Mapping[str, Desk]
    trades: Callable[[], Mapping[str, Trade]]
    number: int = 0

    async def run(self) -> None:
        """Say it each second, and when something has changed, until cancelled."""
        pages = self.permission.pages
        while True:
            pages.told.clear()
            self.ports.outlet.publish([self.report()])
            with suppress(TimeoutError):
                async with asyncio.timeout(pages.options.report_seconds):
                    await pages.told.wait()

    def report(self) -> ExecutorReported:
        """What is so now."""
        permission, options = self.permission, self.permission.pages.options
        now_ms, reasons = self.ports.clock.now_ms(), permission.reasons()
        self.number += 1
        epoch = permission.pages.lease.epoch if permission.pages.lease is not None else 0
        return ExecutorReported(
            event_id=digest("executor", options.account, options.owner, epoch, self.number),
            event_time_ms=now_ms,
            account=options.account,
            mode=options.mode,
            epoch=epoch,
            entries_allowed=not reasons,
            reasons=reasons,
            reconciled_at_ms=permission.agreed_ms,
            reconciliation_clean=permission.is_clean,
            config_version=permission.config.version,
            held=tuple(trade_event(trade) for trade in self.trades().values()),
            orders_last_minute=self._sent(self.desks.values()),
            heartbeat=self.number,
        )

    def _sent(self, desks: Iterable[Desk]) -> int:
        since = self.ports.clock.monotonic() - MINUTE_SECONDS
        total = 0
        for desk in desks:
            desk.orders_sent = [at for at in desk.orders_sent if at > since]
            total += len(desk.orders_sent)
        return total
