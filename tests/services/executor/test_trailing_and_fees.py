"""What a strategy or an account has of its own, at the simulated venue: a trailing stop, and fees that are paid in BNB."""

from decimal import Decimal
from pathlib import Path

from libs.kit.durations import MINUTE_MS
from libs.trading.execution.document import OurOrder
from tests.services.exchange_simulator.running import account_that_pays_in_bnb
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import SYMBOLS, floor


async def test_a_trailing_stop_rests_at_the_venue_once_the_first_target_is_filled(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        price = at.price()
        signal = at.signal(take_profit_1=price, trailing_distance=price * Decimal("0.0504"))
        await one.signal(signal)
        trade = await one.trade("signal-1", lambda found: any(map(_trails, found.orders)), 60)
        assert any(fill.leg == "take_profit_1" for fill in trade.fills)
        [ours] = filter(_trails, trade.orders)
        # Of all that there were: the market may meet one of them at once.
        told = await at.person.ok("GET", "/fapi/v1/allAlgoOrders", symbol=SYMBOL)
        found = [
            (one["orderType"], Decimal(one["callbackRate"])) for one in told if one["clientAlgoId"] == ours.client_id
        ]
        assert found == [("TRAILING_STOP_MARKET", Decimal(5))]
        [closing] = [one for one in told if one["closePosition"]]
        over = at.database.documents()["signal-1"].is_final
        assert closing["algoStatus"] == "NEW" or over, "the first stop stays for as long as the position is open"


def _trails(order: OurOrder) -> bool:
    """A trailing stop that the venue has."""
    return order.leg == "trailing" and order.venue_id is not None


async def test_a_fee_in_bnb_counts_what_it_was_worth_when_it_was_paid(tmp_path: Path) -> None:
    async with floor(tmp_path, symbols=(*SYMBOLS, "BNBUSDT"), accounts=account_that_pays_in_bnb(tmp_path)) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade(
            "signal-1", lambda found: bool(found.fills) and all(fill.fee_quote is not None for fill in found.fills), 60
        )
        fill = trade.fills[0]
        assert (trade.symbol, fill.fee_asset) == (SYMBOL, "BNB")
        minute = fill.time_ms // MINUTE_MS * MINUTE_MS
        [bar] = await at.account.market_data.klines("BNBUSDT", "1m", minute, minute, 1)
        assert fill.fee_quote is not None
        assert abs(fill.fee_quote / (fill.fee * Decimal(bar.close)) - 1) < Decimal("0.01")
        assert abs(fill.fee_quote / (fill.quantity * fill.price * Decimal("0.00045")) - 1) < Decimal("0.05")
