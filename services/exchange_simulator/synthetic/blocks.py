"""The trades inside one minute, by compiled loops from a 64-bit key: arrivals in bursts, runs of one side, heavy tails."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _next(state: np.uint64) -> np.uint64:
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _uniform(state: np.uint64) -> float:
    value = state
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value = value ^ (value >> np.uint64(31))
    return (float(value >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _normal(state: np.uint64) -> float:
    """Sum of three uniforms, scaled to variance one: bounded, cheap and close enough for sizes and steps."""
    second = _next(state)
    return (_uniform(state) + _uniform(second) + _uniform(_next(second)) - 1.5) * 2.0


@njit(cache=True, nogil=True)
def arrivals(key: np.uint64, start_ms: int, length_ms: int, trade_ms: Int64s) -> None:
    """Fill `trade_ms` with clustered, non-decreasing times in [start, start + length)."""
    count = len(trade_ms)
    state = key
    total = 0.0
    burst = False
    gaps = np.empty(count + 1, np.float64)
    for i in range(count + 1):
        state = _next(state)
        switch = _uniform(state)
        burst = switch > 0.12 if burst else switch < 0.04
        state = _next(state)
        gap = -math.log(_uniform(state)) * (0.03 if burst else 1.0)
        total += gap
        gaps[i] = total
    for i in range(count):
        trade_ms[i] = start_ms + int(gaps[i] / total * length_ms)


@njit(cache=True, nogil=True)
def prices_and_sides(
    key: np.uint64, trade_ms: Int64s, path: NDArray[np.float64], prices: Int64s, maker: NDArray[np.bool_]
) -> None:
    """Fill prices (integer units) and sides.

    `path` holds log price at the start and end (in price units), intra-minute volatility, taker-buy share, and the tick.
    """
    count = len(trade_ms)
    log_start, log_end, volatility, buy_share, tick = path[0], path[1], path[2], path[3], path[4]
    walk = np.empty(count + 1, np.float64)
    state = key
    level = 0.0
    step = volatility / math.sqrt(count + 1.0)
    for i in range(count + 1):
        state = _next(state)
        level += (_uniform(state) - 0.5) * 3.4641 * step
        walk[i] = level
    buying = True
    for i in range(count):
        tau = (trade_ms[i] % 60000) / 60000.0
        bridge = walk[i] - walk[count] * (i + 1.0) / (count + 1.0)
        fair = math.exp(log_start + (log_end - log_start) * tau + bridge)
        state = _next(state)
        draw = _uniform(state)
        if i == 0 or draw > 0.55:
            state = _next(state)
            buying = _uniform(state) < buy_share
        ticks = math.ceil(fair / tick) if buying else math.floor(fair / tick)
        prices[i] = max(1, int(ticks)) * int(tick)
        maker[i] = not buying


@njit(cache=True, nogil=True)
def sizes(
    key: np.uint64, shape: NDArray[np.float64], maker: NDArray[np.bool_], quantities: Int64s, non_rpi: Int64s
) -> None:
    """Fill quantities (integer units): log-normal with a Pareto tail, the tail leaning to the minute's direction.

    `shape` holds the median in quantity units, the taker-buy share and the step.
    """
    median, buy_share, step = shape[0], shape[1], shape[2]
    state = key
    for i in range(len(quantities)):
        state = _next(state)
        size = median * math.exp(1.25 * _normal(state))
        state = _next(_next(_next(state)))
        tail = _uniform(state)
        lean = 1.0 - buy_share if maker[i] else buy_share
        if tail < 0.04 * lean:
            state = _next(state)
            size = median * 12.0 * min(_uniform(state) ** -0.8, 60.0)
        quantities[i] = max(1, int(size / step)) * int(step)
        non_rpi[i] = quantities[i] if tail < 0.8 else max(1, quantities[i] * 4 // (5 * int(step))) * int(step)
