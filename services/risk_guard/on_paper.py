"""The guard without an account: it says so once a second, and to every command."""

import asyncio
from dataclasses import dataclass

from libs.contracts.commands import CommandIssued, answered
from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import COMMAND
from libs.contracts.trading import ExecutorReported, LiveTradeChanged
from libs.kit.clock import Clock, SystemClock
from libs.kit.service import ServiceContext
from libs.kit.settings import AccountSettings, KafkaSettings, load_settings
from libs.kit.tasks import run_until
from services.risk_guard.bus import NAME, Bus, Place
from services.risk_guard.outlet import GuardOutlet
from services.risk_guard.telling import paper_heartbeat

HEARTBEAT_SECONDS = 1.0
KAFKA = "kafka"
ON_PAPER = "on paper there is no account at a venue to guard; paper accounts have their own limits"


@dataclass(slots=True)
class PaperGuard:
    """Hears commands only."""

    account: str
    outlet: GuardOutlet
    clock: Clock

    async def run(self) -> None:
        """Say once a second that nothing may be entered."""
        while True:
            self.outlet.publish([paper_heartbeat(self.account, self.clock.now_ms())])
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def on_command(self, event: CommandIssued, place: Place | None = None) -> None:
        if event.account == self.account and event.target == NAME:
            self.outlet.publish([answered(event, ON_PAPER, self.clock.now_ms(), accepted=False)])

    def on_unreadable_command(self, why: str, place: Place | None = None) -> None: ...
    def on_executor(self, report: ExecutorReported) -> None: ...
    def on_trade(self, trade: LiveTradeChanged, place: Place | None = None) -> None: ...
    def on_feed(self, report: FeedStatusChanged) -> None: ...
    def on_engine(self) -> None: ...


async def guard(context: ServiceContext, account: AccountSettings) -> None:
    """Until told to stop."""
    context.expect(KAFKA)
    outlet = GuardOutlet()
    paper = PaperGuard(account.account, outlet, SystemClock())

    def on_state(why: str | None) -> None:
        context.fulfil(KAFKA) if why is None else context.miss(KAFKA, why)

    bus = Bus(load_settings(KafkaSettings).kafka_bootstrap, paper, outlet, dict, on_state, (COMMAND,))
    await run_until(context.stopping, paper.run(), bus.run())
