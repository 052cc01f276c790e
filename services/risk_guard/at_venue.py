"""The guard of an account at a venue, with everything it takes from outside."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from libs.contracts.trading import AlertRaised
from libs.exchanges import Subscription
from libs.exchanges.account import Account, open_account
from libs.exchanges.flatten_audit import forward_audits
from libs.exchanges.limiter import GUARD
from libs.exchanges.session import SessionOptions, StreamSession
from libs.exchanges.venue import keep_clock
from libs.kit.clock import SystemClock
from libs.kit.installation import installation_name
from libs.kit.keys import TrustedFolder
from libs.kit.service import ServiceContext
from libs.kit.settings import (
    AccountSettings,
    AuditSettings,
    CommandKeySettings,
    InstallationSettings,
    KafkaSettings,
    VenueSettings,
    load_settings,
)
from libs.kit.tasks import run_until
from services.risk_guard.bus import Bus
from services.risk_guard.guard import Guard
from services.risk_guard.market import VenueMarket
from services.risk_guard.marks import MarkStream
from services.risk_guard.memory import StateFile
from services.risk_guard.outlet import GuardOutlet
from services.risk_guard.ports import GuardParts
from services.risk_guard.settings import GuardSettings

VENUE, KAFKA = "venue", "kafka"
WATCH_SECONDS, AUDIT_SECONDS = 0.5, 5.0
MARKS_SILENT_SECONDS = 5.0


async def guard(context: ServiceContext, account: AccountSettings) -> None:
    """Guard the account until told to stop. Whether its owner has enabled production is not asked: it only ever closes.

    Ready while positions can be read and the broker is there; without the broker it works all the same.
    """
    context.expect(VENUE, KAFKA)
    settings = load_settings(GuardSettings)
    limits = settings.limits()
    keeper = StateFile(settings.risk_state_dir, account.account)
    with keeper.owned():
        memory = keeper.load()
        async with open_account(account, load_settings(VenueSettings), GUARD) as opened:
            outlet = GuardOutlet()
            parts = GuardParts(
                account=account.account,
                installation=installation_name(load_settings(InstallationSettings).installation_file),
                venue=opened.trading,
                market=VenueMarket(opened.market_data, opened.clock),
                keeper=keeper,
                outlet=outlet,
                clock=opened.clock,
                keys=TrustedFolder(load_settings(CommandKeySettings).command_keys),
                limits=limits,
                default_stop_percent=settings.risk_default_stop_percent,
                wall=SystemClock(),
            )
            await _run(context, Guard(parts, memory), opened, outlet)


async def _run(context: ServiceContext, guarding: Guard, account: Account, outlet: GuardOutlet) -> None:
    outlet.on_sent = guarding.on_sent

    def on_state(why: str | None) -> None:
        context.fulfil(KAFKA) if why is None else context.miss(KAFKA, why)

    bus = Bus(load_settings(KafkaSettings).kafka_bootstrap, guarding, outlet, lambda: guarding.memory.offsets, on_state)
    await run_until(
        context.stopping,
        guarding.run(),
        account.user_stream(guarding).run(),
        mark_prices(account, guarding).run(),
        keep_clock(account),
        bus.run(),
        _watch(context, guarding),
        _forward(guarding),
    )


def mark_prices(account: Account, guarding: Guard) -> StreamSession:
    """The stream of all mark prices of the order venue: what is opened next has one already."""
    options = SessionOptions("guard_marks", silence_seconds=MARKS_SILENT_SECONDS)
    return account.streams.session(Subscription(every_mark_price=True), MarkStream(guarding.on_marks), options)


async def _watch(context: ServiceContext, guarding: Guard) -> None:
    """Let readiness follow what can be read."""
    while True:
        trouble = guarding.blind()
        context.fulfil(VENUE) if trouble is None else context.miss(VENUE, trouble)
        await asyncio.sleep(WATCH_SECONDS)


@dataclass(frozen=True, slots=True)
class Once:
    """Tells each alert once in this process's life; one that could not be told was not."""

    tell: Callable[[AlertRaised], Awaitable[None]]
    told: set[str] = field(default_factory=set)

    async def __call__(self, event: AlertRaised) -> None:
        """Tell it, unless it was. Raises what `tell` raises."""
        if event.event_id not in self.told:
            await self.tell(event)
            self.told.add(event.event_id)


async def _forward(guarding: Guard) -> None:
    """Tell what was flattened while no guard was up."""
    folder, tell = load_settings(AuditSettings).audit_dir, Once(guarding.tell_kept)
    while True:
        # What cannot be kept now is told later, under the same id; what cannot be renamed was told.
        with suppress(OSError):
            await forward_audits(folder, tell)
        await asyncio.sleep(AUDIT_SECONDS)
