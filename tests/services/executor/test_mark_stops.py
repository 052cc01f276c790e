"""A strategy whose stops are triggered by the mark price: at the venue they are, and they stay so when a person moves one."""

from decimal import Decimal
from pathlib import Path

from libs.trading.execution.document import OurOrder, Trade
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import Floor
from tests.services.executor.test_commands import commanded, obeyed, said

LEGS = {"stop", "break_even", "trailing"}


async def test_every_stop_of_such_a_trade_waits_for_the_mark_price(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        price = at.price()
        signal = at.signal(take_profit_1=price, trailing_distance=price * Decimal("0.05"), working_type="mark")
        await one.signal(signal)
        trade = await one.trade("signal-1", lambda found: {order.leg for order in standing(found)} >= LEGS, 60)
        assert await working_types(at, trade) == dict.fromkeys(LEGS, "MARK_PRICE")
        [before] = [order for order in standing(trade) if order.leg == "stop"]
        wanted = at.tick(SYMBOL, price * Decimal("0.97"))
        assert (await obeyed(one, said(key, 1, "move_stop", symbol=SYMBOL, price=str(wanted)))).accepted
        trade = await one.trade("signal-1", lambda found: has_moved(found, before.client_id, wanted), 60)
        assert await working_types(at, trade) == dict.fromkeys(LEGS, "MARK_PRICE")


async def test_other_trades_have_stops_by_the_last_price(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, _):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: bool(standing(found)), 60)
        assert await working_types(at, trade) == {"stop": "CONTRACT_PRICE"}


def standing(trade: Trade) -> list[OurOrder]:
    """Its conditional orders that rest at the venue."""
    return [order for order in trade.orders if order.is_conditional and order.status == "new"]


def has_moved(trade: Trade, before: str, price: Decimal) -> bool:
    """Whether the new stop stands, and neither the old one nor the bridge between them does."""
    found = standing(trade)
    stops = [order for order in found if order.leg == "stop"]
    return {order.leg for order in found} == LEGS and [(one.client_id != before, one.trigger) for one in stops] == [
        (True, price)
    ]


async def working_types(at: Floor, trade: Trade) -> dict[str, str]:
    """What triggers each leg, as the venue has it."""
    told = await at.person.ok("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)
    legs = {order.client_id: str(order.leg) for order in trade.orders}
    return {legs[one["clientAlgoId"]]: one["workingType"] for one in told}
