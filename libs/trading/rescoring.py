"""Scoring again: the verdicts of `scoring.judge` for many configurations at once, from what the factors said once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.contracts.signals import RefusalReason
from libs.trading.factor import WARMED_WINDOWS
from libs.trading.factors import all_factors
from libs.trading.machine import rescoring as machine
from libs.trading.opinions import WINDOWS, Opinions, in_order
from libs.trading.scoring import SCORE_DECIMALS
from libs.trading.strategy import Strategy

REASONS: tuple[RefusalReason, ...] = (
    "disabled",
    "feed_not_live",
    "warm_up",
    "coverage",
    "stale_input",
    "atr_regime",
    "direction_conflict",
    "cooldown",
)
"""By code, from 1 on; 0 is an emitted signal."""
MOST_CELLS = 1_000_000
"""Configurations times evaluations in one call: what reaches their thresholds could fill 12 MB at the most."""
_SIDES = {"both": 0, "long": 1, "short": -1}


@dataclass(frozen=True, slots=True)
class Crossings:
    """The evaluations whose score reached the threshold. Configuration c has the rows [starts[c], starts[c + 1]), symbol after
    symbol in order of time: `row` in the opinions, `score` (0 to 100), `side` (1 long, -1 short), `reason` (see `REASONS`)."""

    starts: NDArray[np.int64]
    row: NDArray[np.int32]
    score: NDArray[np.float64]
    side: NDArray[np.int8]
    reason: NDArray[np.int8]

    def of(self, number: int) -> "Crossings":
        """Those of one configuration."""
        begin, end = int(self.starts[number]), int(self.starts[number + 1])
        cut = slice(begin, end)
        starts = np.array([0, end - begin], np.int64)
        return Crossings(starts, self.row[cut], self.score[cut], self.side[cut], self.reason[cut])

    @property
    def emitted(self) -> NDArray[np.bool_]:
        """Which of them became signals."""
        found: NDArray[np.bool_] = self.reason == machine.EMITTED
        return found


class Part(NamedTuple):
    """Crossings of some configurations, one after the other: their numbers, how many each has, and columns as in `Crossings`."""

    numbers: NDArray[np.int64]
    counts: NDArray[np.int64]
    row: NDArray[np.int32]
    score: NDArray[np.float64]
    side: NDArray[np.int8]
    reason: NDArray[np.int8]


def rescore(opinions: Opinions, strategies: Sequence[Strategy]) -> Crossings:
    """The crossings of each strategy, bit for bit those of `judge` with the memory that it keeps of each symbol, from none on.

    Those that `judge` calls held back are left out: their score is below the threshold, and they are never emitted.
    Raises `ValueError` for a strategy with a factor that was not asked, or on a grid that the evaluations have only in part.
    """
    return rescore_rules(opinions, Rules.of(opinions, strategies))


@dataclass(frozen=True, slots=True)
class Rules:
    """Strategies as columns, one row each, for the symbols and factors of some opinions; least coverage and grid by strategy."""

    rows: machine.RuleRows
    least_coverage: NDArray[np.float64]
    interval_ms: NDArray[np.int64]

    @classmethod
    def of(cls, opinions: Opinions, strategies: Sequence[Strategy]) -> "Rules":
        """Raises `ValueError` for a factor that was not asked, or an interval that is no multiple of that of the opinions."""
        places = {name: place for place, name in enumerate(opinions.factors)}
        for strategy in strategies:
            if unknown := sorted(set(strategy.factors) - set(places)):
                raise ValueError(f"{strategy.name}: {', '.join(unknown)} was not asked")
            if strategy.interval_ms % opinions.interval_ms:
                raise ValueError(
                    f"{strategy.name} on {strategy.interval_ms} ms: asked was on {opinions.interval_ms} ms only"
                )
        factor, weight, votes, scales = _weights(strategies, places)
        return cls(
            machine.RuleRows(
                factor=factor,
                weight=weight,
                votes=votes,
                scales=scales,
                least=least_totals(np.array([each.threshold for each in strategies], np.float64)),
                enabled=np.array([each.enabled for each in strategies], np.int8),
                cooldown_ms=_whole([each.cooldown_seconds * 1_000 for each in strategies]),
                low=np.array([each.atr_percentile_band.low for each in strategies], np.float64),
                high=np.array([each.atr_percentile_band.high for each in strategies], np.float64),
                allowed=_whole([_SIDES[each.direction.allow] for each in strategies]),
                insisted=_whole([_mask(_insisted(each), places) for each in strategies]),
                windows=_whole([_windows(each) for each in strategies]),
                confirmed=_whole([_mask(each.direction.confirmed_by, places) for each in strategies]),
                covered=np.array(
                    [[each.covers(symbol) for symbol in opinions.symbols] for each in strategies], np.int8
                ).reshape(len(strategies), len(opinions.symbols)),
            ),
            np.array([each.min_coverage for each in strategies], np.float64),
            _whole([each.interval_ms for each in strategies]),
        )

    def __len__(self) -> int:
        return len(self.least_coverage)

    def groups(self) -> Iterator[tuple[tuple[float, int], NDArray[np.int64]]]:
        """The numbers of the strategies with the same least coverage and grid (ms)."""
        for least in np.unique(self.least_coverage):
            for interval_ms in np.unique(self.interval_ms):
                numbers = np.flatnonzero((self.least_coverage == least) & (self.interval_ms == interval_ms))
                if len(numbers):
                    yield (float(least), int(interval_ms)), numbers

    def select(self, numbers: NDArray[np.int64]) -> machine.RuleRows:
        """Some of the rows."""
        return machine.RuleRows._make(column[numbers] for column in self.rows)


def rescore_rules(opinions: Opinions, rules: Rules) -> Crossings:
    """`rescore` of strategies that are columns already."""
    return _joined(list(rescored_parts(opinions, rules)))


def rescored_parts(opinions: Opinions, rules: Rules) -> Iterator[Part]:
    """The same, some configurations at a time: memory does not grow with their number."""
    for (least_coverage, interval_ms), numbers in rules.groups():
        due = np.flatnonzero(opinions.time_ms % interval_ms == 0)
        every = len(due) == len(opinions)
        seen = seen_with(opinions if every else opinions.select(due), least_coverage)
        for part in _rescored(seen, rules, numbers):
            yield part if every else part._replace(row=due.astype(np.int32)[part.row])


def seen_with(opinions: Opinions, least_coverage: float) -> machine.OpinionRows:
    """The opinions as strategies with this `min_coverage` see them: below it a factor is omitted, and a window is thin."""
    omission = np.where(
        (opinions.omission == machine.EMITTED) & (opinions.share < least_coverage), machine.COVERAGE, opinions.omission
    ).astype(np.int8)
    omitted = omission != machine.EMITTED
    known = all_factors()
    scales = np.array([known[name].role == "scale" for name in opinions.factors], np.bool_)[:, np.newaxis]
    effects = np.where(omitted, 0.0, np.where(scales, 1.0 - opinions.value, opinions.value))
    return machine.OpinionRows(
        effects=np.ascontiguousarray(effects),
        omission=omission,
        omitted=_bits(omitted),
        positive=_bits(~omitted & (opinions.shown_sign > 0)),
        negative=_bits(~omitted & (opinions.shown_sign < 0)),
        thin=_bits(opinions.window_share < least_coverage),
        unusable=opinions.unusable,
        rank=opinions.rank,
        time_ms=opinions.time_ms,
        symbol=opinions.symbol,
    )


def least_totals(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least absolute sum of contributions whose rounded score reaches each threshold (0 to 100)."""
    levels = np.arange(machine.STEPS + 1) / 10**SCORE_DECIMALS
    return totals_by_step()[np.searchsorted(levels, thresholds, side="left")]


@cache
def totals_by_step() -> NDArray[np.float64]:
    """By k: the least total with round(min(100, total * 100), 2) >= k / 100; rounding never falls, so it can be searched for."""
    return np.array([_least_total(step / 10**SCORE_DECIMALS) for step in range(machine.STEPS + 1)], np.float64)


def _least_total(score: float) -> float:
    """By bisection over the floats, which are in the order of their bits, first near where it must be."""
    guess = np.float64(max(0.0, score - 0.5 / 10**SCORE_DECIMALS) / 100)
    middle = int(guess.view(np.int64))
    low, high = max(0, middle - 16), middle + 16
    if (low > 0 and _reaches(low, score)) or not _reaches(high, score):
        low, high = 0, int(np.float64(2.0).view(np.int64))
    while low < high:
        half = (low + high) // 2
        low, high = (low, half) if _reaches(half, score) else (half + 1, high)
    return float(np.int64(low).view(np.float64))


def _reaches(bits: int, score: float) -> bool:
    total = float(np.int64(bits).view(np.float64))
    return round(min(100.0, total * 100), SCORE_DECIMALS) >= score


def _rescored(seen: machine.OpinionRows, rules: Rules, numbers: NDArray[np.int64]) -> Iterator[Part]:
    """Some configurations at a time, so that what they look at stays in the processor's caches."""
    rows = len(seen.time_ms)
    most = max(1, min(len(numbers), MOST_CELLS // max(1, rows)))
    total = np.empty(machine.BLOCK_ROWS, np.float64)
    # One cell more: a row is written before it is known whether it will be kept.
    row_room, total_room = np.empty((most, rows + 1), np.int32), np.empty((most, rows + 1), np.float64)
    for begin in range(0, len(numbers), most):
        part = numbers[begin : begin + most]
        chosen = rules.select(part)
        reached = machine.Reached(row_room[: len(part)], total_room[: len(part)], np.zeros(len(part), np.int64))
        machine.reach(seen, chosen, total, reached)
        size = int(reached.counts.sum())
        out = machine.CrossingRows(
            np.empty(size, np.int32), np.empty(size, np.float64), np.empty(size, np.int8), np.empty(size, np.int8)
        )
        machine.decide(seen, chosen, reached, totals_by_step(), out)
        kept = int(reached.counts.sum())
        yield Part._make((part, reached.counts, *(column[:kept] for column in out)))


def _joined(parts: Sequence[Part]) -> Crossings:
    """All parts, in the order of the configurations."""
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32))
    whole = (Part(*none, np.zeros(0), np.zeros(0, np.int8), np.zeros(0, np.int8)), *parts)
    numbers, counts, *columns = (np.concatenate(column) for column in zip(*whole, strict=True))
    order = np.argsort(numbers)
    if bool(np.any(np.diff(order) != 1)):
        place = np.argsort(np.repeat(numbers, counts), kind="stable")
        columns = [column[place] for column in columns]
    return Crossings(np.concatenate(([0], np.cumsum(counts[order]))), *columns)


def _weights(
    strategies: Sequence[Strategy], places: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    known, shape = all_factors(), (len(strategies), len(places))
    factor, weight = np.zeros(shape, np.int64), np.zeros(shape, np.float64)
    votes, scales = np.zeros(len(strategies), np.int64), np.zeros(len(strategies), np.int64)
    for number, strategy in enumerate(strategies):
        names = in_order(strategy.factors)
        factor[number, : len(names)] = [places[name] for name in names]
        weight[number, : len(names)] = [strategy.factors[name].weight for name in names]
        scales[number] = sum(known[name].role == "scale" for name in names)
        votes[number] = len(names) - scales[number]
    return factor, weight, votes, scales


def _insisted(strategy: Strategy) -> list[str]:
    return [name for name, use in strategy.factors.items() if use.when_missing == "refuse"]


def _mask(names: Sequence[str], places: dict[str, int]) -> int:
    return sum(1 << places[name] for name in set(names))


def _windows(strategy: Strategy) -> int:
    """The windows whose holes refuse a signal: those of trades that its factors read."""
    known = all_factors()
    read = {window for name in strategy.factors for window in known[name].needs_coverage if window in WARMED_WINDOWS}
    return sum(1 << WINDOWS.index(window) for window in read)


def _bits(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A mask a column: bit f for row f."""
    mask = np.zeros(rows.shape[1], np.int64)
    for place, row in enumerate(rows):
        mask |= row.astype(np.int64) << place
    return mask


def _whole(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
