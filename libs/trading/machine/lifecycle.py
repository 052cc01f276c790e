"""The bracket as a state machine on one row of integers: what a trade does to a position, and what a fill leaves of it.

A take-profit is a resting limit order: it is filled, at its price, by the first trade *through* it. A trade at its price may
have been the turn of the orders that stood there before ours; a trade beyond it proves that everything there was taken.
A stop is a market order that the venue triggers by a trade at or beyond it, so it meets the price that was there.
"""

from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64


@entry
def action(position: Int64, time_ms: Whole, price: Whole) -> Whole:
    """Why this trade (tape price) fills something of an open position, or NOTHING. Ask again after each fill.

    A closing order that has arrived comes first: it met the book before the trade did. Then the stop, then the next target.
    """
    if position[at.STATE] == at.CLOSING:
        return position[at.CLOSE_WHY] if time_ms >= position[at.DUE] else at.NOTHING
    if time_ms >= position[at.CLOSE_DUE]:
        return position[at.CLOSE_WHY]
    side, reduced = position[at.SIDE], position[at.REDUCED]
    if side * (price - position[at.STOP]) <= 0:
        return at.BREAK_EVEN_STOP if reduced else at.STOP_LOSS
    if side * (price - position[at.TARGET_2 if reduced else at.TARGET_1]) > 0:
        return at.TAKE_PROFIT_2 if reduced else at.TAKE_PROFIT_1
    return at.NOTHING


@entry
def triggers(position: Int64) -> tuple[Whole, Whole]:
    """Tape prices at or below and at or above which `action` has something to do, as long as no closing order arrives."""
    stop = position[at.STOP]
    target = position[at.TARGET_2 if position[at.REDUCED] else at.TARGET_1]
    if position[at.SIDE] > 0:
        return stop, target + 1
    return target - 1, stop


@entry
def delay_stop(position: Int64, time_ms: Whole, why: Whole, latency_ms: Whole) -> None:
    """A stop that was triggered and takes its time: nothing else happens to the position until it is filled."""
    position[at.STATE] = at.CLOSING
    position[at.DUE] = time_ms + latency_ms
    position[at.CLOSE_WHY] = why


@entry
def close_by(position: Int64, due_ms: Whole, why: Whole) -> bool:
    """Let a closing order arrive at `due_ms`, unless another one does sooner; the bracket works until then."""
    if position[at.STATE] != at.OPEN or due_ms >= position[at.CLOSE_DUE]:
        return False
    position[at.CLOSE_DUE] = due_ms
    position[at.CLOSE_WHY] = why
    return True


@entry
def reach_first_target(position: Int64, break_even: Whole) -> None:
    """After the first take-profit: the stop stands at the entry (tape price, on a tick)."""
    position[at.REDUCED] = 1
    position[at.STOP] = break_even


@entry
def amount_of(position: Int64, why: Whole) -> Whole:
    """How much a fill closes: the first half at the first take-profit, otherwise all that is left."""
    return position[at.FIRST] if why == at.TAKE_PROFIT_1 else position[at.LEFT]


@compiled
def break_even_price(position: Int64, finer: Whole, tick: Whole) -> Whole:
    """The entry's price on a tick of the tape, rounded so that a stop there does not lose by rounding."""
    entry_price = position[at.FIRST_FILL + at.FILL_PRICE]
    grid = finer * tick
    below = entry_price // grid * tick
    return below + tick if position[at.SIDE] > 0 and below * finer < entry_price else below
