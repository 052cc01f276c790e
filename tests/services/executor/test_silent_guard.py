"""Nothing is entered while the guard says nothing; what is open goes on being protected."""

from pathlib import Path

from tests.services.executor.floor import CONFIG, SYMBOLS, floor, until


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
