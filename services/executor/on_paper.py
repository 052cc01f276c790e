"""An executor without an account: nothing of a venue is imported, and nothing of what sizes orders."""

import asyncio

from libs.kit.service import exit_now
from libs.kit.tasks import run_until
from libs.store.live import PostgresBooks
from libs.trading.execution.books import LeaseLost
from services.executor.options import Options
from services.executor.pages import Pages
from services.executor.paper import PaperExecutor
from services.executor.telling import Teller
from services.executor.times import MachineTime
from services.executor.wiring import VENUE, Wiring, owner_name, watch_readiness, with_topics


async def refuse(wiring: Wiring) -> None:
    """End each signal as refused until told to stop."""
    settings, context = wiring.settings, wiring.context
    context.fulfil(VENUE)
    name = settings.account.account
    options = Options(name, "paper", settings.installation, owner_name())
    books = PostgresBooks(wiring.engine, name)
    pages = Pages(books, wiring.outlet, MachineTime(), options)
    executor = PaperExecutor(pages, wiring.trusted, Teller(name))
    try:
        await run_until(
            context.stopping, executor.run(), with_topics(wiring, executor), watch_readiness(wiring, executor)
        )
    except* LeaseLost as lost:
        exit_now(f"the account is not ours any more: {lost.exceptions[0]}")
    if pages.lease is not None:
        async with asyncio.timeout(1.0):
            await books.release(pages.lease)
