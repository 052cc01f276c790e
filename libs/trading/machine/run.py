"""The arrays of one run, bundled so that compiled functions take one argument instead of thirty."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators.kernel.compiler import Whole

Int64 = NDArray[np.int64]


class Market(NamedTuple):
    """The trades of all symbols, one symbol after the other, with blocks and marks, and the settlements of funding.

    Symbol s has the trades [starts[s], ends[s]); those before firsts[s] were looked at in an earlier slice and are here for the
    volume of the last minute. Blocks are of `layout.BLOCK` trades of the whole array. `marks[s, k]` is the last tape price
    before the instant (first_mark + k) * mark interval. `funding_starts` has one more cell than there are symbols; rates in
    10**-8, marks in fine prices (0: the last trade's price stands in). Nothing at or after `until_ms` is in it.

    The venue's mark prices of symbol s are the steps [mark_price_starts[s], mark_price_starts[s + 1]): when each was known, and
    its extremes in tape prices, rounded towards each other, so that they reach a price of the tape when the exact ones do. There
    are none where no position needs them.
    """

    time_ms: Int64
    price: Int64
    quantity: Int64
    block_low: Int64
    block_high: Int64
    block_notional: Int64
    starts: Int64
    firsts: Int64
    ends: Int64
    marks: Int64
    first_mark: Whole
    funding_ms: Int64
    funding_rate: Int64
    funding_mark: Int64
    funding_starts: Int64
    mark_price_ms: Int64
    mark_price_low: Int64
    mark_price_high: Int64
    mark_price_starts: Int64
    until_ms: Whole


class Terms(NamedTuple):
    """Rules, costs and symbols as integer columns (`layout`); symbols is one row each."""

    rules: Int64
    costs: Int64
    symbols: Int64


class Book(NamedTuple):
    """An account and its positions, one row per symbol: everything that is carried from slice to slice."""

    account: Int64
    positions: Int64


class Signals(NamedTuple):
    """Signals in order of time: their numbers, evaluation times, symbols' rows, sides, and prices in the tape's decimals.

    `trailing`: thousandths of the price, 0 for none, below 0 for what the venue does not take. `take_market`, `closes` (what
    the same `strategy` holds the other way) and `by_mark` (the mark price triggers its stops) are 1 or 0.
    """

    number: Int64
    time_ms: Int64
    symbol: Int64
    side: Int64
    price: Int64
    stop: Int64
    target_1: Int64
    target_2: Int64
    hold_until_ms: Int64
    trailing: Int64
    take_market: Int64
    closes: Int64
    strategy: Int64
    by_mark: Int64


class Output(NamedTuple):
    """Tables to be filled: closed positions, signals that were not taken, the equity curve, and how many rows each has."""

    closed: Int64
    refused: Int64
    equity: Int64
    counts: Int64


class Run(NamedTuple):
    """All of it."""

    market: Market
    terms: Terms
    book: Book
    signals: Signals
    output: Output
