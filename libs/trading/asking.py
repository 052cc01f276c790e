"""Asking a factor about many evaluations at once: `factor.opinion`, `coverage_of` and `without_limits` as columns."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.trading.columns import Columns, Values
from libs.trading.factor import FLOW_WINDOWS, Factor, values_of
from libs.trading.factors import all_factors
from libs.trading.inputs import FEED_OF_INPUT, InputName
from libs.trading.machine import rescoring as machine
from libs.trading.strategy import Strategy

OMISSIONS: Mapping[str, int] = {
    "coverage": machine.COVERAGE,
    "stale_input": machine.STALE_INPUT,
    "warm_up": machine.WARM_UP,
}


class Asked(NamedTuple):
    """By evaluation. `value`: the opinion, 0 where there is none for the reason `omission` (a code of `machine.rescoring`,
    EMITTED: there is one). `share`: coverage, 0 to 1. `bare`: what would be said without limits, 0 where nothing can be."""

    value: Values
    omission: NDArray[np.int8]
    share: Values
    bare: Values


def ask(factor: Factor, columns: Columns) -> Asked:
    """Bit for bit what `opinion`, `coverage_of` and `without_limits` say of each evaluation."""
    said = values_of(factor, columns)
    omission = np.where(np.isnan(said), np.int8(OMISSIONS[factor.unknown.code]), np.int8(machine.EMITTED))
    absent = np.zeros(len(columns), np.bool_)
    share = np.ones(len(columns))
    for name, limit_ms in factor.needs_inputs.items():
        missing = np.isnan(columns.value(name))
        absent |= missing
        omission[missing | (columns.age_ms(name) > limit_ms)] = machine.STALE_INPUT
        share = np.minimum(share, _input_share(columns, name, limit_ms))
    for window, needed in factor.needs_coverage.items():
        known = columns.coverage(window)
        omission[known < needed] = machine.COVERAGE
        share = np.minimum(share, known if window in FLOW_WINDOWS else np.minimum(1.0, known / needed))
    unsaid = absent | np.isnan(said)
    return Asked(np.where(omission == machine.EMITTED, said, 0.0), omission, share, np.where(unsaid, 0.0, said))


def _input_share(columns: Columns, name: InputName, limit_ms: int) -> Values:
    """`factor.input_coverage`."""
    age_ms = columns.age_ms(name)
    left = np.where(columns.feed_is_live(FEED_OF_INPUT[name]), 1.0, (limit_ms - age_ms) / limit_ms)
    return np.where(np.isnan(columns.value(name)) | (age_ms > limit_ms), 0.0, left)


class Totals(NamedTuple):
    """By evaluation: the sum of a strategy's contributions (-1 to 1), and what it would be without its gates: see `judge`."""

    total: Values
    ungated: Values


def totals(strategy: Strategy, asked: Mapping[str, Asked]) -> Totals:
    """The sums that `judge` makes, in the same order of operations. `asked`: every factor of the strategy."""
    known = all_factors()
    total = ungated = np.zeros(len(next(iter(asked.values())).value))
    for name in sorted(strategy.factors, key=lambda each: (known[each].role == "scale", each)):
        use, said = strategy.factors[name], asked[name]
        counts = (said.omission == machine.EMITTED) & (said.share >= strategy.min_coverage)
        if known[name].role == "scale":
            total = total + np.where(counts, -total * use.weight * (1.0 - said.value), 0.0)
            continue
        effect = np.where(counts, said.value * use.weight, 0.0)
        withheld = said.bare * use.weight if use.when_missing == "refuse" else 0.0
        total, ungated = total + effect, ungated + np.where(counts, effect, withheld)
    return Totals(total, ungated)
