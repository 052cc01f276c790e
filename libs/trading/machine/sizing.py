"""How much to trade, in whole steps: what is risked, over what a unit loses at the stop."""

from libs.indicators.kernel.compiler import Whole, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64


@entry
def sized(symbol: Int64, risk: Whole, balance: Whole, price: Whole, stop: Whole) -> tuple[Whole, Whole]:
    """Quantity and ACCEPTED, or 0 and why not. `symbol` is its row of terms; risk and balance in money, tape prices.

    Rounded down to a step, so that no more than `risk` is lost between price and stop; cut to the largest market order.
    """
    fine_price = price * symbol[at.FINER]
    distance = abs(price - stop) * symbol[at.FINER]
    if distance == 0 or price <= 0:
        return 0, at.STOP_PASSED
    quantity = min(risk // distance, symbol[at.MAX_QUANTITY])
    quantity -= quantity % symbol[at.STEP]
    if quantity < max(1, symbol[at.MIN_QUANTITY]):
        return 0, at.BELOW_MINIMUM_QUANTITY
    if quantity > at.LARGEST_NOTIONAL // fine_price:
        return 0, at.ABOVE_LEVERAGE
    notional = quantity * fine_price
    if notional < symbol[at.MIN_NOTIONAL]:
        return 0, at.BELOW_MINIMUM_NOTIONAL
    if symbol[at.LEVERAGE] > 0 and -(-notional // symbol[at.LEVERAGE]) > balance:
        return 0, at.ABOVE_LEVERAGE
    return quantity, at.ACCEPTED


@entry
def first_part(symbol: Int64, quantity: Whole) -> Whole:
    """What the first take-profit closes: half, rounded down to a step; 0 where half is less than may be traded."""
    half = quantity // 2
    half -= half % symbol[at.STEP]
    return half if half >= max(1, symbol[at.MIN_QUANTITY]) else 0 * half
