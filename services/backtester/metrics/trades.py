"""Figures of closed positions, in quote units and in R (multiples of the initial risk)."""

import statistics
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

import numpy as np

from libs.trading.outcome import Fill, Outcome
from services.backtester.metrics.figure import Figure, Floats, known, ratio, unknown

NO_TRADES = "no trades"


def nets(outcomes: Sequence[Outcome]) -> Floats:
    """Net result of each, in quote units."""
    return np.array([float(outcome.net) for outcome in outcomes], dtype=np.float64)


def multiples(outcomes: Sequence[Outcome]) -> Floats:
    """Net result of each, in R."""
    return np.array([outcome.net_r for outcome in outcomes], dtype=np.float64)


def total(amounts: Iterable[Decimal]) -> float:
    """An exact sum of money, as a number for a report."""
    return float(sum(amounts, Decimal(0)))


def win_rate(outcomes: Sequence[Outcome]) -> Figure:
    """Trades with net > 0 / trades, a share. Source: definition; a net of exactly 0 is no win."""
    return ratio(sum(outcome.net > 0 for outcome in outcomes), len(outcomes), NO_TRADES)


def expectancy(outcomes: Sequence[Outcome]) -> Figure:
    """Mean net result of a trade, quote units. Source: Tharp (1998), "Trade your way to financial freedom"."""
    return ratio(total(outcome.net for outcome in outcomes), len(outcomes), NO_TRADES)


def expectancy_r(outcomes: Sequence[Outcome]) -> Figure:
    """Mean net result of a trade over its initial risk, R. Source: Tharp (1998)."""
    return known(statistics.fmean(outcome.net_r for outcome in outcomes)) if outcomes else unknown(NO_TRADES)


def profit_factor(outcomes: Sequence[Outcome]) -> Figure:
    """Sum of net wins / |sum of net losses|, a ratio. Source: definition."""
    if not outcomes:
        return unknown(NO_TRADES)
    won = total(outcome.net for outcome in outcomes if outcome.net > 0)
    return ratio(won, -total(outcome.net for outcome in outcomes if outcome.net < 0), "no losing trade")


def payoff(outcomes: Sequence[Outcome]) -> Figure:
    """Mean win / |mean loss|, a ratio. Source: definition."""
    if not outcomes:
        return unknown(NO_TRADES)
    won = [float(outcome.net) for outcome in outcomes if outcome.net > 0]
    lost = [float(outcome.net) for outcome in outcomes if outcome.net < 0]
    if not won or not lost:
        return unknown("no winning trade" if not won else "no losing trade")
    return known(statistics.fmean(won) / -statistics.fmean(lost))


def streaks(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """The longest runs of wins and of losses, in order of exits (trades); a net of exactly 0 ends both. Source: definition."""
    longest = {1: 0, 0: 0, -1: 0}
    for sign, run in groupby(outcomes, key=lambda outcome: (outcome.net > 0) - (outcome.net < 0)):
        longest[sign] = max(longest[sign], sum(1 for _ in run))
    return longest[1], longest[-1]


def notional(fill: Fill) -> float:
    """Price * quantity, quote units."""
    return float(fill.price * fill.quantity)


def traded_notional(outcomes: Sequence[Outcome]) -> float:
    """Sum of price * quantity over all entries and exits, quote units. Source: definition."""
    return total(fill.price * fill.quantity for outcome in outcomes for fill in (outcome.entry, *outcome.exits))


def median_hold(outcomes: Sequence[Outcome]) -> Figure:
    """Median time from entry to last exit, ms. Source: definition."""
    return known(statistics.median(outcome.held_ms for outcome in outcomes)) if outcomes else unknown(NO_TRADES)


def mean_hold(outcomes: Sequence[Outcome]) -> Figure:
    """Mean time from entry to last exit, ms. Source: definition."""
    return known(statistics.fmean(outcome.held_ms for outcome in outcomes)) if outcomes else unknown(NO_TRADES)


def score_correlation(outcomes: Sequence[Outcome]) -> Figure:
    """Spearman's rank correlation of score and net R, -1 to 1, ties with their mean rank. Source: Spearman (1904)."""
    if len(outcomes) < 3:
        return unknown("needs three trades")
    scores = ranks(np.array([outcome.score for outcome in outcomes], dtype=np.float64))
    results = ranks(multiples(outcomes))
    if float(np.ptp(scores)) == 0 or float(np.ptp(results)) == 0:
        return unknown("scores or results are all the same")
    return known(float(np.corrcoef(scores, results)[0, 1]))


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values with the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], dtype=np.float64)
