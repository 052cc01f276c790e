"""The bracket as a state machine on one row of integers: what a trade does to a position, and what a fill leaves of it.

A take-profit is a resting limit order: it is filled, at its price, by the first trade *through* it. A trade at its price may
have been the turn of the orders that stood there before ours; a trade beyond it proves that everything there was taken.
A stop is a market order that the venue triggers by a trade at or beyond it, so it meets the price that was there; so is a
take-profit where the strategy wants it at market. After the first target the stop may follow the best price since. Where the
mark price triggers the stop, trades do not: what the mark price does is asked for beside them (`loop.find_next`).
"""

from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64
from libs.trading.machine.search import behind


@entry
def action(position: Int64, time_ms: Whole, price: Whole) -> Whole:
    """Why this trade (tape price) fills something of an open position, or NOTHING. Ask again after each fill.

    A closing order that has arrived comes first: it met the book before the trade did. Then the stop, then the next target.
    """
    if position[at.STATE] == at.CLOSING:
        return position[at.TRIGGERED] if time_ms >= position[at.DUE] else at.NOTHING
    if time_ms >= position[at.CLOSE_DUE]:
        return position[at.CLOSE_WHY]
    side, reduced = position[at.SIDE], position[at.REDUCED]
    if position[at.BY_MARK] == 0 and side * (price - position[at.STOP]) <= 0:
        return stop_name(position)
    if side * (price - position[at.TARGET_2 if reduced else at.TARGET_1]) > -position[at.TAKE_MARKET]:
        return at.TAKE_PROFIT_2 if reduced else at.TAKE_PROFIT_1
    return at.NOTHING


@compiled
def stop_name(position: Int64) -> Whole:
    """Which of its stops the stop is now."""
    if position[at.REDUCED] == 0:
        return at.STOP_LOSS
    trailed = position[at.TRAILING] > 0 and position[at.STOP] == behind_best(position)
    return at.TRAILING_STOP if trailed else at.BREAK_EVEN_STOP


@compiled
def behind_best(position: Int64) -> Whole:
    """Where a trailing stop follows the best price: the first price that has come back by its share of it."""
    side = position[at.SIDE]
    return side * behind(side * position[at.BEST], position[at.TRAILING])


@entry
def triggers(position: Int64) -> tuple[Whole, Whole]:
    """Tape prices at or below and at or above which `action` has something to do, as long as no closing order arrives."""
    side = position[at.SIDE]
    stop = -side * at.NEVER if position[at.BY_MARK] else position[at.STOP]
    beyond = 1 - position[at.TAKE_MARKET]
    target = position[at.TARGET_2 if position[at.REDUCED] else at.TARGET_1]
    if side > 0:
        return stop, target + beyond
    return target - beyond, stop


@entry
def trigger(position: Int64, time_ms: Whole, why: Whole, latency_ms: Whole) -> None:
    """An order at the venue was triggered and takes its time: nothing else happens to the position until it is filled."""
    position[at.STATE] = at.CLOSING
    position[at.DUE] = time_ms + latency_ms
    position[at.TRIGGERED] = why


@entry
def close_by(position: Int64, due_ms: Whole, why: Whole) -> bool:
    """Let a closing order arrive at `due_ms`, unless another one does sooner; the bracket works until then."""
    if due_ms >= position[at.CLOSE_DUE]:
        return False
    position[at.CLOSE_DUE] = due_ms
    position[at.CLOSE_WHY] = why
    return True


@entry
def reach_first_target(position: Int64, break_even: Whole) -> None:
    """After the first take-profit: the stop stands at break-even (tape price, on a tick), or follows the price from there."""
    position[at.REDUCED] = 1
    position[at.STATE] = at.OPEN
    position[at.STOP] = break_even
    # The target was reached by a trade; of mark prices the best one begins with the next.
    position[at.BEST] = break_even if position[at.BY_MARK] else position[at.TARGET_1]
    raise_stop(position)


@entry
def follow(position: Int64, price: Whole) -> None:
    """A price (tape) that the position lived through: where it is the best since the first target, a trailing stop follows."""
    waits = position[at.STATE] != at.OPEN or position[at.REDUCED] == 0
    if waits or position[at.SIDE] * (price - position[at.BEST]) <= 0:
        return
    position[at.BEST] = price
    raise_stop(position)


@compiled
def follow_trade(position: Int64, price: Whole) -> None:
    """`follow` with a trade's price, where trades trigger the stop."""
    if position[at.BY_MARK] == 0:
        follow(position, price)


@compiled
def raise_stop(position: Int64) -> None:
    """A trailing stop only comes closer."""
    stop = behind_best(position)
    if position[at.TRAILING] > 0 and position[at.SIDE] * (stop - position[at.STOP]) > 0:
        position[at.STOP] = stop


@entry
def amount_of(position: Int64, why: Whole) -> Whole:
    """How much a fill closes: the first half at the first take-profit, otherwise all that is left."""
    return position[at.FIRST] if why == at.TAKE_PROFIT_1 else position[at.LEFT]


@entry
def break_even_price(position: Int64, symbol: Int64, taker: Whole) -> Whole:
    """`libs.trading.break_even.break_even_price` in whole numbers (tape price): entry and stop pay the taker's rate (10**-8).

    The price that pays for both is the entry's with both rates of it over 1 - rate (short: 1 + rate) more, in favour of the
    position; entries of any size stay within 64 bits.
    """
    side, entry_price = position[at.SIDE], position[at.FIRST_FILL + at.FILL_PRICE]
    rest_of_unit = at.UNIT - side * taker
    whole, rest = entry_price // rest_of_unit, entry_price % rest_of_unit
    fine = entry_price + side * (whole * 2 * taker - (-rest * 2 * taker) // rest_of_unit)
    grid = symbol[at.FINER] * symbol[at.TICK]
    nearest = position[at.TARGET_1] - side * symbol[at.TICK]
    if side > 0:
        return min(-(-fine // grid) * symbol[at.TICK], nearest)
    return max(fine // grid * symbol[at.TICK], nearest)
