"""Finding the trade at which something happens: whole blocks are skipped by their extremes, times are found by halving."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64, Market


@entry
def build_blocks(price: Int64, quantity: Int64, low: Int64, high: Int64, notional: Int64) -> None:
    """Fill the extremes and the notional (price * quantity, tape units) of each block of trades; the last may be short."""
    for block in range(len(low)):
        begin = block * at.BLOCK
        least = most = price[begin]
        total = np.int64(0)
        for i in range(begin, min(begin + at.BLOCK, len(price))):
            least = min(least, price[i])
            most = max(most, price[i])
            total += price[i] * quantity[i]
        low[block], high[block], notional[block] = least, most, total


@entry
def lower_bound(times: Int64, begin: Whole, end: Whole, ms: Whole) -> Whole:
    """The first index in [begin, end) whose time is at or after `ms`; `end` when there is none. Times do not fall."""
    while begin < end:
        middle = (begin + end) >> 1
        if times[middle] < ms:
            begin = middle + 1
        else:
            end = middle
    return begin


@entry
def first_outside(market: Market, begin: Whole, end: Whole, low: Whole, high: Whole) -> Whole:
    """The first trade in [begin, end) with a price at or below `low` or at or above `high`; `end` when there is none."""
    i = begin
    while i < end:
        block = i // at.BLOCK
        stop = (block + 1) * at.BLOCK
        if i == block * at.BLOCK and stop <= end and market.block_low[block] > low and market.block_high[block] < high:
            i = stop
            continue
        stop = min(stop, end)
        while i < stop:
            if market.price[i] <= low or market.price[i] >= high:
                return i
            i += 1
    return end


class Trail(NamedTuple):
    """A stop that follows the best price: side 1 long, -1 short; the best price so far (tape), and thousandths of it."""

    side: Whole
    best: Whole
    thousandths: Whole


@compiled
def behind(best: Whole, thousandths: Whole) -> Whole:
    """The first price that has come back from the best one by its share of it. Prices of a short position are below 0."""
    return best - (abs(best) * thousandths + 999) // 1_000


@entry
def first_trailed(market: Market, begin: Whole, end: Whole, outside: tuple[Whole, Whole], trail: Trail) -> Whole:
    """`first_outside` with a stop that follows: the one of the two bounds that is on the losing side comes closer as the price
    gets better, and each trade meets it where those before have left it."""
    side, best = trail.side, trail.side * trail.best
    # As if long: a short position's prices are turned around.
    stop, target = (outside[0], outside[1]) if side > 0 else (-outside[1], -outside[0])
    i = begin
    while i < end:
        block = i // at.BLOCK
        after = (block + 1) * at.BLOCK
        if i == block * at.BLOCK and after <= end:
            low, high = market.block_low[block], market.block_high[block]
            worst, top = (low, high) if side > 0 else (-high, -low)
            if top < target and worst > max(stop, behind(max(best, top), trail.thousandths)):
                best = max(best, top)
                stop = max(stop, behind(best, trail.thousandths))
                i = after
                continue
        after = min(after, end)
        while i < after:
            price = side * market.price[i]
            if price <= stop or price >= target:
                return i
            if price > best:
                best = price
                stop = max(stop, behind(best, trail.thousandths))
            i += 1
    return end


@entry
def first_touch(market: Market, begin: Whole, end: Whole, stop: Whole, trail: Trail) -> Whole:
    """The first step of mark prices in [begin, end) that reaches the stop (tape price); `end` when there is none.

    Of a step's two extremes the worst comes first: it meets the stop as the steps before have left it, and then the best one
    moves a stop that follows (thousandths above 0).
    """
    side, best, level = trail.side, trail.side * trail.best, trail.side * stop
    for step in range(begin, end):
        low, high = market.mark_price_low[step], market.mark_price_high[step]
        worst, top = (low, high) if side > 0 else (-high, -low)
        if worst <= level:
            return step
        if trail.thousandths > 0 and top > best:
            best = top
            level = max(level, behind(best, trail.thousandths))
    return end


@compiled
def extent(market: Market, begin: Whole, end: Whole) -> tuple[Whole, Whole, Whole]:
    """Lowest and highest price and the notional (tape units) of the trades [begin, end), of which there is at least one."""
    first: Whole = market.price[begin]
    low = high = first
    notional: Whole = np.int64(0)
    i = begin
    while i < end:
        block = i // at.BLOCK
        stop = (block + 1) * at.BLOCK
        if i == block * at.BLOCK and stop <= end:
            low = min(low, market.block_low[block])
            high = max(high, market.block_high[block])
            notional += market.block_notional[block]
            i = stop
            continue
        stop = min(stop, end)
        while i < stop:
            low = min(low, market.price[i])
            high = max(high, market.price[i])
            notional += market.price[i] * market.quantity[i]
            i += 1
    return low, high, notional


@entry
def last_before(times: Int64, prices: Int64, first_mark: Whole, interval_ms: Whole, marks: NDArray[np.int64]) -> None:
    """Fill `marks` with the last price before each instant (first_mark + k) * interval; 0 where there is none yet."""
    i = 0
    last = np.int64(0)
    for k in range(len(marks)):
        instant = (first_mark + k) * interval_ms
        while i < len(times) and times[i] < instant:
            last = prices[i]
            i += 1
        marks[k] = last
