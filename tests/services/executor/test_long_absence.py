"""An executor that was away for ten days: what has happened meanwhile is older than the venue tells when it is asked by time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from libs.kit.clock import SystemClock
from libs.kit.durations import DAY_MS
from services.exchange_simulator.app import Simulation
from services.exchange_simulator.clock import Anchor, AnchoredTime
from services.exchange_simulator.settings import ServerSettings
from services.exchange_simulator.state import open_state
from services.exchange_simulator.trading import commands
from tests.chaos.money.market import Stage
from tests.chaos.processes.market import TellingMarket, steady
from tests.services.exchange_simulator.running import Running, serving
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, SYMBOLS, Floor, Grounds, floor_at
from tests.services.executor.meddling import Scene

AWAY_MS = 10 * DAY_MS
TRADE_EVERY_MS = 20_000


@asynccontextmanager
async def quiet_venue(folder: Path) -> AsyncIterator[Running]:
    """A venue whose prices stand still, with one trade in twenty seconds, for longer than ten days."""
    now_ms = SystemClock().now_ms()
    end_ms = now_ms + AWAY_MS + DAY_MS
    stage = Stage(1, now_ms, end_ms, funding_ms=end_ms, symbols=SYMBOLS)
    market = TellingMarket(stage, {symbol: steady(stage, symbol, TRADE_EVERY_MS) for symbol in SYMBOLS})
    state, anchor = open_state(folder, {"quiet": True}), Anchor(now_ms, now_ms)
    state.anchor = anchor
    async with serving(Simulation(market, AnchoredTime(1.0, anchor), state), ServerSettings(port=0)) as venue:
        yield venue


def ten_days_pass(venue: Running) -> None:
    clock = venue.simulation.clock
    assert isinstance(clock, AnchoredTime)
    assert clock.anchor is not None
    clock.anchor = Anchor(clock.anchor.venue_ms + AWAY_MS, clock.anchor.wall_ms)


async def left_with_a_target_filled(at: Floor) -> None:
    """A position whose executor has died; right after that its first target is filled."""
    one = await at.executor()
    await one.ready()
    await one.signal(at.signal())
    trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
    await one.drop()
    scene = Scene(at, SYMBOL, trade)
    await scene.force(commands.FillOrder, order_id=scene.order("take_profit_1").venue_id)


async def test_a_position_of_ten_days_ago_is_booked_to_its_last_fill_and_left(tmp_path: Path) -> None:
    async with quiet_venue(tmp_path / "venue") as venue:
        ground = Grounds(venue, tmp_path, CONFIG)
        async with floor_at(ground) as at:
            await left_with_a_target_filled(at)
            books = at.database
        ten_days_pass(venue)
        async with floor_at(ground, books) as at:
            assert await at.account.trading.executions(SYMBOL) == [], "by time nothing is told any more"
            one = await at.executor()
            trade = await one.trade("signal-1", lambda found: found.is_final, 60)
            assert (trade.state, trade.exit_reason) == ("closed", "hold_expired")
            by_leg = {fill.leg: fill for fill in trade.fills}
            assert set(by_leg) == {"entry", "take_profit_1", "close"}
            assert by_leg["close"].time_ms - by_leg["take_profit_1"].time_ms > AWAY_MS - DAY_MS
            truth = await at.person.truth()
            assert sum(fill.realised for fill in trade.fills) == sum(
                Decimal(one["realizedPnl"]) for one in truth["trades"]
            )
            assert (truth["positions"], truth["open_orders"], truth["open_algo_orders"]) == ([], 0, 0)
            await one.ready()
