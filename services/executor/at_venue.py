"""An executor with an account at a venue: keys, clock, user stream and prices. Imported only where there is one: it is heavy."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from libs.contracts.topics import SYMBOL_CONTROL
from libs.exchanges.account import open_account, production_trouble, require_enabled
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import keep_clock
from libs.kit.errors import TryAgain
from libs.kit.service import exit_now
from libs.kit.tasks import run_until
from libs.store.live import PostgresBooks
from libs.streaming.symbols import SymbolControl
from libs.trading.execution.books import LeaseLost
from services.executor.executor import Executor
from services.executor.options import Options
from services.executor.ports import Ports
from services.executor.times import AccountTime
from services.executor.venue_market import VenueMarket
from services.executor.wiring import VENUE, Wiring, owner_name, watch_readiness, with_topics


async def trade(wiring: Wiring) -> None:
    """Trade the account until told to stop.

    Raises `ConfigurationError` where the account's owner has not enabled it, `UnreachableError` for a venue that stays silent.
    """
    settings, context = wiring.settings, wiring.context
    require_enabled(settings.account)
    async with open_account(settings.account, settings.venue) as account:
        context.fulfil(VENUE)
        control = SymbolControl(settings.kafka.kafka_bootstrap, SYMBOL_CONTROL, settings.symbols)
        sessions = SessionGroup()
        market = VenueMarket(account, sessions)
        await _followed(market, await control.at_start(), context.stopping)
        ports = Ports(
            PostgresBooks(wiring.engine, account.name),
            account.trading,
            wiring.outlet,
            AccountTime(account.clock),
            market,
        )
        options = Options(account.name, settings.account.execution_mode, settings.installation, owner_name())
        executor = Executor(
            ports,
            options,
            wiring.trusted,
            production_trouble=lambda: _trouble_in_production(wiring),
            worth=market.worth,
        )
        try:
            await run_until(
                context.stopping,
                executor.run(),
                account.user_stream(executor).run(),
                sessions.run(),
                keep_clock(account),
                market.refresh(),
                control.follow(market),
                with_topics(wiring, executor),
                watch_readiness(wiring, executor),
            )
        except* LeaseLost as lost:
            exit_now(f"the account is not ours any more: {lost.exceptions[0]}")
        if executor.pages.lease is not None:
            async with asyncio.timeout(1.0):
                await ports.books.release(executor.pages.lease)


async def _followed(market: VenueMarket, symbols: Sequence[str], stopping: asyncio.Event) -> None:
    """Wait for a venue that does not answer yet."""
    while not stopping.is_set():
        try:
            await market.add(symbols)
        except TryAgain as error:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), error.after_seconds)
        else:
            return


def _trouble_in_production(wiring: Wiring) -> str | None:
    account = wiring.settings.account
    return production_trouble(account) if account.execution_mode == "production" else None
