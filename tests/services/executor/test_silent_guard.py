"""Nothing is entered while the guard says nothing; what is open goes on being protected."""

import time
from pathlib import Path
from typing import Any

from libs.trading.execution.document import CloseWish, Trade
from libs.trading.execution.facts import CloseWished
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, SYMBOLS, Executing, Floor, floor, risk, until


async def test_without_the_guards_word_nothing_is_entered_and_a_lost_stop_is_placed_again(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"max_positions": 5})
    async with floor(tmp_path, config) as at:
        one = await at.executor(guard_silent_seconds=3.0)
        await one.ready()
        await one.signal(at.signal())
        held = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        one.guard = None
        other = SYMBOLS[1]
        await until(lambda: at.quoted(other), lambda: "no price")
        await one.trade_refused(at.signal(2, symbol=other, price=at.price(other)), "guard_silent")
        [stop] = [order for order in held.orders if order.leg == "stop"]
        await at.account.trading.cancel_conditional(stop.client_id)
        again = await one.trade("signal-1", lambda found: len([1 for one in found.orders if one.leg == "stop"]) == 2)
        new = [order.client_id for order in again.orders if order.leg == "stop"][-1]
        await one.trade("signal-1", lambda found: any(o.client_id == new and o.status == "new" for o in found.orders))
        assert [rests.client_id for rests in await at.account.trading.open_conditionals()] == [new]


def legs_of(trade: Trade) -> set[str]:
    """What was sent for it, and not ended before."""
    return {order.leg for order in trade.orders if not order.is_final}


async def entered(at: Floor) -> Executing:
    """With its exits; then somebody cancels them while nobody looks."""
    one = await at.executor()
    await one.ready()
    await one.signal(at.signal())
    await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
    return one


async def started_alone(at: Floor, **options: Any) -> Executing:
    """The next one, which does not hear the guard, comes to a position without exits, whose close somebody has wished for."""
    at.database.expires = float("-inf")
    await at.venue.fault("outside_cancel", symbol=SYMBOL)
    alone = await at.executor(guard=None, **options)
    await until(lambda: bool(alone.executor.trades()), lambda: "the books are not read")
    wish = CloseWish(reason="command", since_ms=at.account.clock.now_ms())
    alone.executor.desk_of(SYMBOL).hear("signal-1", [CloseWished(wish)])
    return alone


async def test_a_break_is_known_after_a_restart_without_a_broker(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await entered(at)
        one.guard = risk("circuit_break", entries=False)
        await until(at.database.guard_broke, lambda: "the break is not kept")
        await one.drop()
        alone = await started_alone(at, guard_listen_seconds=0.5)
        stops = await alone.trade("signal-1", lambda found: bool(found.closes) and legs_of(found) == {"stop"})
        assert not [order for order in stops.orders if order.leg == "close"]
        looked = time.monotonic() + 2.0
        await until(lambda: time.monotonic() > looked, lambda: "")
        assert legs_of(at.database.documents()["signal-1"]) == {"stop"}
        assert alone.executor.permission.standing().blocked[0][0] in ("not_ready", "guard_silent")
        alone.guard = risk()
        ended = await alone.trade("signal-1", lambda found: found.is_final)
        assert (ended.state, ended.exit_reason) == ("closed", "command")
        await until(lambda: not at.database.guard_broke(), lambda: "the end of the break is not kept")


async def test_without_a_break_in_the_books_exits_go_on_once_the_guard_was_listened_for(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        await (await entered(at)).drop()
        alone = await started_alone(at)
        permission = alone.executor.permission
        ended = await alone.trade("signal-1", lambda found: found.is_final)
        assert (ended.state, ended.exit_reason) == ("closed", "command")
        assert time.monotonic() > permission.listening_until
        [close] = [order for order in ended.orders if order.leg == "close"]
        stop = max(order.intended_ms for order in ended.orders if order.leg == "stop")
        assert stop < close.intended_ms, "its stop did not wait"
        assert permission.standing().blocked
