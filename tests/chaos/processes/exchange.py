"""The exchange of a run: the real simulator behind real sockets, in the judge's process, so that he sees its ledger as it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from libs.kit.clock import SystemClock
from services.exchange_simulator.app import Simulation
from services.exchange_simulator.clock import Anchor, AnchoredTime
from services.exchange_simulator.private.house import House
from services.exchange_simulator.settings import ServerSettings
from services.exchange_simulator.state import open_state
from services.exchange_simulator.trading.account import Account
from tests.chaos.money.market import Stage
from tests.chaos.processes.market import TellingMarket
from tests.chaos.processes.plan import LONGEST_MS
from tests.services.exchange_simulator.running import Running, serving

WARM_UP_MS = 120_000
"""The longest that processes may take to be ready before a run's plan begins."""
FUNDING_MS = 9_000
LOOK_SECONDS = 0.05


@asynccontextmanager
async def exchange(seed: int, folder: Path) -> AsyncIterator[tuple[Running, TellingMarket]]:
    """A venue of now, at real pace, with one account; its journal and its ledger are in the folder."""
    now_ms = SystemClock().now_ms()
    end_ms = now_ms + WARM_UP_MS + 2 * LONGEST_MS
    market = TellingMarket(Stage(seed, now_ms, end_ms, funding_ms=end_ms))
    anchor = Anchor(now_ms, now_ms)
    state = open_state(folder, {"chaos": seed})
    state.anchor = anchor
    simulation = Simulation(market, AnchoredTime(1.0, anchor), state)
    async with serving(simulation, ServerSettings(port=0)) as venue:
        yield venue, market


def begin_play(seed: int, market: TellingMarket, now_ms: int, start_ms: int) -> None:
    """The market of the plan that begins at `start_ms`: funding is settled while its first positions are open."""
    market.begin(Stage(seed, start_ms, start_ms + 2 * LONGEST_MS, funding_ms=start_ms + FUNDING_MS), now_ms)


def house_of(venue: Running) -> House:
    assert venue.simulation.private is not None, "it serves"
    return venue.simulation.private.house


def account_of(venue: Running) -> Account:
    """The one account, as it is."""
    return house_of(venue).exchange.accounts["main"]


@asynccontextmanager
async def watched(venue: Running, look: Callable[[int], None]) -> AsyncIterator[None]:
    """Call `look` with the venue's time at every change and many times a second meanwhile."""
    house = house_of(venue)
    house.on_change.append(lambda: look(house.now_ms()))

    async def again() -> None:
        while True:
            look(house.now_ms())
            await asyncio.sleep(LOOK_SECONDS)

    task = asyncio.create_task(again())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
