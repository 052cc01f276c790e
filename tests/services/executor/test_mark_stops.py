"""A strategy whose stops are triggered by the mark price: at the venue they are, and they stay so when a person moves one."""

from decimal import Decimal
from pathlib import Path

from libs.trading.execution.document import OurOrder, Trade
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import Floor
from tests.services.executor.test_commands import commanded, obeyed, said


async def test_the_stop_of_such_a_trade_waits_for_the_mark_price_wherever_it_is_moved(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        await one.signal(at.signal(working_type="mark"))
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0, 60)
        assert await working_types(at, trade) == {"stop": "MARK_PRICE"}
        [before] = standing(trade)
        wanted = at.tick(SYMBOL, at.price() * Decimal("0.97"))
        assert (await obeyed(one, said(key, 1, "move_stop", symbol=SYMBOL, price=str(wanted)))).accepted
        trade = await one.trade("signal-1", lambda found: has_moved(found, before, wanted), 60)
        [bridge] = [order for order in trade.orders if order.leg == "bridge"]
        assert bridge.working_type == "mark"
        assert await working_types(at, trade) == {"stop": "MARK_PRICE"}


async def test_other_trades_have_stops_by_the_last_price(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, _):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: bool(standing(found)), 60)
        assert await working_types(at, trade) == {"stop": "CONTRACT_PRICE"}


def standing(trade: Trade) -> list[OurOrder]:
    """Its conditional orders that rest at the venue."""
    return [order for order in trade.orders if order.is_conditional and order.status == "new"]


def has_moved(trade: Trade, before: OurOrder, price: Decimal) -> bool:
    """Whether the new stop stands, and neither the old one nor the bridge between them does."""
    found = [(order.leg, order.client_id != before.client_id, order.trigger) for order in standing(trade)]
    return found == [("stop", True, price)]


async def working_types(at: Floor, trade: Trade) -> dict[str, str]:
    """What triggers each leg, as the venue has it."""
    told = await at.person.ok("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)
    legs = {order.client_id: str(order.leg) for order in trade.orders}
    return {legs[one["clientAlgoId"]]: one["workingType"] for one in told}
