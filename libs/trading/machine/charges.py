"""What a fill costs: fees by rate, and what a market order gives away against the trade that it meets."""

import math

from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Market, Terms
from libs.trading.machine.search import extent, lower_bound


@entry
def share_of(amount: Whole, rate: Whole) -> Whole:
    """amount * rate, where the rate is in 10**-8, rounded to the nearest whole number (halves upwards); amounts to 2**62."""
    whole = amount // at.UNIT
    rest = amount - whole * at.UNIT
    return whole * rate + (rest * rate + at.UNIT // 2) // at.UNIT


@entry
def square_root_impact(own: float, traded: float, move: float, coefficient: float) -> float:
    """coefficient * move * sqrt(own / traded): the price that an order of `own` notional moves away, in the unit of `move`.

    The square-root law, I = Y * sigma * sqrt(Q / V): B. Toth et al., "Anomalous price impact and the critical nature of
    liquidity in financial markets", Physical Review X 1 (2011) 021006, with Y of order one; for Bitcoin over four decades of
    sizes: J. Donier and J. Bonart, "A million metaorder analysis of market impact on the Bitcoin" (2015), arXiv:1412.4503.
    """
    return coefficient * move * math.sqrt(own / traded)


@compiled
def slippage(market: Market, terms: Terms, symbol: Whole, trade: Whole, quantity: Whole) -> Whole:
    """What a market order of `quantity` on this trade gives away per unit, as a fine price: half the spread plus impact.

    Half the spread is a share of the price, one tick at least. Sigma is the range of prices in the window that ends with the
    trade (never less than a spread: a window of one trade moved nothing and is still no bottomless book), V what was
    traded in it. At most a tenth of the price is given away: beyond that the rule means nothing.
    """
    costs, finer = terms.costs, terms.symbols[symbol, at.FINER]
    if costs[at.SLIPPAGE] == 0:
        return 0 * finer
    price = market.price[trade] * finer
    half_spread = max(share_of(price, costs[at.HALF_SPREAD]), terms.symbols[symbol, at.TICK] * finer)
    impact = 0 * finer
    if costs[at.IMPACT] > 0:
        since = market.time_ms[trade] - costs[at.IMPACT_WINDOW_MS]
        begin = lower_bound(market.time_ms, market.starts[symbol], trade, since)
        low, high, notional = extent(market, begin, trade + 1)
        move = max((high - low) * finer, 2 * half_spread)
        traded = float(max(notional, 1)) * float(finer)
        coefficient = float(costs[at.IMPACT]) / float(at.MILLION)
        exact = square_root_impact(float(quantity) * float(price), traded, float(move), coefficient)
        impact = price if exact > float(price) else math.ceil(exact)
    return min(half_spread + impact, price // 10)
