"""Scores and verdicts of many configurations over one table of opinions; `libs.trading.rescoring` says what the columns mean."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators.kernel.compiler import Whole, compiled, entry

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Int8 = NDArray[np.int8]
Float64 = NDArray[np.float64]

BLOCK_ROWS = 512
"""Evaluations at a time: ten factors of them fit the processor's first cache, while the configurations pass by."""
GROUP_ROWS = 64
"""Evaluations that are passed over at once when none of them reaches the threshold."""
STEPS = 10_000
"""A score is one of 0, 0.01 … 100."""
# Why a crossing is refused, in the order of `libs.trading.rescoring.REASONS`; EMITTED is no refusal.
(
    EMITTED,
    DISABLED,
    FEED_NOT_LIVE,
    WARM_UP,
    COVERAGE,
    STALE_INPUT,
    ATR_REGIME,
    DIRECTION_CONFLICT,
    COOLDOWN,
) = range(9)


class OpinionRows(NamedTuple):
    """Evaluations, symbol after symbol, each in order of time, as configurations of one grid and least coverage see them.

    `effects[f]`: a vote, or the share that a scale takes away; 0 where the factor is omitted, for the reason `omission[f]`.
    Masks have a bit for each factor (`omitted`, `positive`, `negative`) or window (`thin`: below the least coverage). `unusable`:
    the reason why nothing can be signalled, whatever the configuration (EMITTED: none).
    """

    effects: Float64
    omission: Int8
    omitted: Int64
    positive: Int64
    negative: Int64
    thin: Int64
    unusable: Int8
    rank: Float64
    time_ms: Int64
    symbol: Int64


class RuleRows(NamedTuple):
    """One row a configuration. `factor` and `weight` hold the used factors first: `votes` of them, then `scales`. `least`: the
    absolute total from which the score reaches the threshold. Masks as in `OpinionRows`; `covered[c, s]`: 1 for its symbols."""

    factor: Int64
    weight: Float64
    votes: Int64
    scales: Int64
    least: Float64
    enabled: Int8
    cooldown_ms: Int64
    low: Float64
    high: Float64
    allowed: Int64
    insisted: Int64
    windows: Int64
    confirmed: Int64
    covered: Int8


class Reached(NamedTuple):
    """Tables of one row a configuration, filled from the left up to `counts`: the evaluations that reach its threshold."""

    row: Int32
    total: Float64
    counts: Int64


class CrossingRows(NamedTuple):
    """What became of them, one configuration after the other: evaluation, score, side (1 long, -1 short), reason."""

    row: Int32
    score: Float64
    side: Int8
    reason: Int8


@entry
def reach(opinions: OpinionRows, rules: RuleRows, total: Float64, reached: Reached) -> None:
    """Find the evaluations that reach each configuration's threshold. `total`: room for a block."""
    rows = opinions.effects.shape[1]
    for number in range(len(rules.least)):
        reached.counts[number] = 0
    for begin in range(0, rows, BLOCK_ROWS):
        block = total[: min(BLOCK_ROWS, rows - begin)]
        for number in range(len(rules.least)):
            _totals(opinions.effects, rules, number, begin, block)
            _collect(block, begin, rules.least[number], number, reached)


@entry
def decide(opinions: OpinionRows, rules: RuleRows, reached: Reached, steps: Float64, crossings: CrossingRows) -> None:
    """Score and reason of each of them; those of other symbols are dropped, and `counts` becomes what is left.

    `steps[k]`: the least absolute total whose score is k steps or more.
    """
    at = 0
    for number in range(len(rules.least)):
        begun, symbol, emitted_ms = at, -1, -1
        for place in range(reached.counts[number]):
            row, total = reached.row[number, place], reached.total[number, place]
            if rules.covered[number, opinions.symbol[row]] == 0:
                continue
            if opinions.symbol[row] != symbol:
                symbol, emitted_ms = opinions.symbol[row], -1
            reason = _refused(opinions, rules, number, row, total > 0)
            now_ms = opinions.time_ms[row]
            if reason == EMITTED:
                if emitted_ms >= 0 and now_ms - emitted_ms < rules.cooldown_ms[number]:
                    reason = COOLDOWN
                else:
                    emitted_ms = now_ms
            crossings.row[at], crossings.reason[at] = row, reason
            crossings.side[at] = 1 if total > 0 else -1
            crossings.score[at] = _score(abs(total), steps)
            at += 1
        reached.counts[number] = at - begun


@compiled
def _totals(effects: Float64, rules: RuleRows, number: Whole, begin: Whole, total: Float64) -> None:
    """Votes in their order, then scales; four votes a pass, each added after the other, as `scoring.judge` adds them."""
    end = begin + len(total)
    factor, weight = rules.factor[number], rules.weight[number]
    votes, scales = rules.votes[number], rules.scales[number]
    at = 0
    if votes >= 4:
        _begin_with_four(total, effects, factor, weight, begin)
        at = 4
    else:
        for row in range(len(total)):
            total[row] = 0.0
    while votes - at >= 4:
        _add_four(total, effects, factor[at : at + 4], weight[at : at + 4], begin)
        at += 4
    while at < votes:
        _add_one(total, effects[factor[at], begin:end], weight[at])
        at += 1
    while at < votes + scales:
        _scale(total, effects[factor[at], begin:end], weight[at])
        at += 1


@compiled
def _begin_with_four(total: Float64, effects: Float64, factor: Int64, weight: Float64, begin: Whole) -> None:
    """Without reading what the last block has left; a first vote of -0.0 differs from 0.0 + -0.0 in a sign that nothing sees."""
    end = begin + len(total)
    first, second = effects[factor[0], begin:end], effects[factor[1], begin:end]
    third, fourth = effects[factor[2], begin:end], effects[factor[3], begin:end]
    one, two, three, four = weight[0], weight[1], weight[2], weight[3]
    for row in range(len(total)):
        total[row] = first[row] * one + second[row] * two + third[row] * three + fourth[row] * four


@compiled
def _add_four(total: Float64, effects: Float64, factor: Int64, weight: Float64, begin: Whole) -> None:
    end = begin + len(total)
    first, second = effects[factor[0], begin:end], effects[factor[1], begin:end]
    third, fourth = effects[factor[2], begin:end], effects[factor[3], begin:end]
    one, two, three, four = weight[0], weight[1], weight[2], weight[3]
    for row in range(len(total)):
        total[row] = total[row] + first[row] * one + second[row] * two + third[row] * three + fourth[row] * four


@compiled
def _add_one(total: Float64, vote: Float64, weight: float) -> None:
    for row in range(len(total)):
        total[row] = total[row] + vote[row] * weight


@compiled
def _scale(total: Float64, taken: Float64, weight: float) -> None:
    for row in range(len(total)):
        total[row] = total[row] + -total[row] * weight * taken[row]


@compiled
def _collect(total: Float64, begin: Whole, least: float, number: Whole, reached: Reached) -> None:
    """Append what reaches the threshold: written always, kept if it does, so that the processor need not guess."""
    count, rows, totals = reached.counts[number], reached.row[number], reached.total[number]
    for first in range(0, len(total), GROUP_ROWS):
        end = min(first + GROUP_ROWS, len(total))
        some = 0
        for row in range(first, end):
            some += abs(total[row]) >= least
        if some == 0:
            continue
        for row in range(first, end):
            rows[count] = begin + row
            totals[count] = total[row]
            count += abs(total[row]) >= least
    reached.counts[number] = count


@compiled
def _refused(opinions: OpinionRows, rules: RuleRows, number: Whole, row: Whole, long: bool) -> Whole:
    """Every reason but the cooldown: the first in the order of `scoring.judge`, which is the last of these."""
    reason: Whole = EMITTED
    agreeing = opinions.positive[row] if long else opinions.negative[row]
    opposed = rules.allowed[number] == (-1 if long else 1)
    if opposed | (rules.confirmed[number] & ~agreeing != 0):
        reason = DIRECTION_CONFLICT
    rank = opinions.rank[row]
    if (rank < rules.low[number]) | (rank > rules.high[number]):
        reason = ATR_REGIME
    if opinions.thin[row] & rules.windows[number] != 0:
        reason = COVERAGE
    missing = opinions.omitted[row] & rules.insisted[number]
    if missing != 0:
        reason = opinions.omission[_lowest(missing), row]
    if opinions.unusable[row] != EMITTED:
        reason = opinions.unusable[row]
    if rules.enabled[number] == 0:
        reason = DISABLED
    return reason


@compiled
def _lowest(mask: Whole) -> Whole:
    """The place of the lowest bit."""
    place = 0
    while (mask >> place) & 1 == 0:
        place += 1
    return place


@compiled
def _score(total: float, steps: Float64) -> float:
    """The score of an absolute total: a guess, corrected by the table, which is exact."""
    found = min(STEPS, int(total * STEPS + 0.5))
    while found > 0 and total < steps[found]:
        found -= 1
    while found < STEPS and total >= steps[found + 1]:
        found += 1
    return found / 100
