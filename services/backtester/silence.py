"""Why evaluations ended in no signal: counted while a run goes on, so that one which could not signal says why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.trading.asking import Asked, ask, totals
from libs.trading.columns import Columns
from libs.trading.factor import Factor
from libs.trading.factors import all_factors
from libs.trading.machine import rescoring as machine
from libs.trading.scoring import SCORE_DECIMALS
from libs.trading.strategy import Strategy
from services.backtester.result import Silence

BELOW = "score below the threshold"
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class SilenceCounter:
    """Counts, per strategy, the evaluations without a signal: those at which no vote had an opinion by what its heaviest vote
    lacked, the others as below the threshold.

    `strategies`: those that were asked over the whole range, each in one version.
    """

    strategies: Sequence[Strategy]
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _due: Counter[str] = field(default_factory=Counter)

    def add(self, symbol: str, columns: Columns) -> None:
        """Evaluations of the range."""
        due = [each for each in self.strategies if each.covers(symbol)]
        known = all_factors()
        asked = {name: ask(known[name], columns) for name in sorted({name for each in due for name in each.factors})}
        for strategy in due:
            self._add(strategy, columns, {name: asked[name] for name in strategy.factors})

    def _add(self, strategy: Strategy, columns: Columns, asked: Mapping[str, Asked]) -> None:
        label = f"{strategy.name} v{strategy.version}"
        due = columns.time_ms % strategy.interval_ms == 0
        self._due[label] += int(np.count_nonzero(due))
        sums = totals(strategy, asked)
        score = np.round(100 * np.maximum(np.abs(sums.total), np.abs(sums.ungated)), SCORE_DECIMALS)
        left = due & (score < strategy.threshold)
        votes = [name for name in strategy.factors if all_factors()[name].role == "vote"]
        silent = left.copy()
        for name in votes:
            silent &= ~_counts(strategy, asked[name])
        self._counts[label, BELOW] += int(np.count_nonzero(left & ~silent))
        heaviest = max(sorted(votes), key=lambda name: strategy.factors[name].weight)
        for reason, mask in _reasons(strategy, all_factors()[heaviest], asked[heaviest], columns):
            self._counts[label, reason] += int(np.count_nonzero(silent & mask))
            silent &= ~mask

    def rows(self) -> tuple[Silence, ...]:
        """By strategy, the most frequent reason first."""
        order = sorted(self._counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
        return tuple(
            Silence(strategy=label, reason=reason, count=count, share=count / self._due[label])
            for (label, reason), count in order
            if count
        )


def _counts(strategy: Strategy, asked: Asked) -> Mask:
    """Where the factor's opinion counts."""
    counts: Mask = (asked.omission == machine.EMITTED) & (asked.share >= strategy.min_coverage)
    return counts


def _reasons(strategy: Strategy, factor: Factor, asked: Asked, columns: Columns) -> list[tuple[str, Mask]]:
    """What the factor lacked, in the order in which `opinion` looks at it; the last one holds for whatever is left."""
    found: list[tuple[str, Mask]] = []
    for window, needed in factor.needs_coverage.items():
        found.append((f"no opinion: coverage of {window} below {needed:.0%}", columns.coverage(window) < needed))
    for name, limit_ms in factor.needs_inputs.items():
        old = np.isnan(columns.value(name)) | (columns.age_ms(name) > limit_ms)
        found.append((f"no opinion: {name.replace('_', ' ')} missing or too old", old))
    found.append((f"no opinion: {factor.unknown.why}", asked.omission != machine.EMITTED))
    few = f"no opinion: coverage of {factor.name} below the strategy's {strategy.min_coverage:.0%}"
    return [*found, (few, np.ones(len(columns), np.bool_))]
