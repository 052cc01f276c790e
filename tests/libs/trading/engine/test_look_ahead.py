"""No factor looks ahead: whatever happens after E, and whatever the log says of it before, opinions up to E stay."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.trading.factors import all_factors
from tests.suites import look_ahead_suite as suite
from tests.suites.look_ahead_suite import GRID_MS, HOURS, START_MS, Log, Opinions

EVALUATIONS = HOURS * 3_600_000 // GRID_MS


@cache
def base() -> tuple[Log, Opinions]:
    log = suite.market(1)
    return log, suite.opinions(log)


@cache
def other() -> Opinions:
    return suite.opinions(suite.market(2))


@pytest.mark.parametrize("name", all_factors())
def test_every_factor_has_opinions_that_follow_the_market(name: str) -> None:
    suite.it_has_opinions(name, base()[1])
    suite.it_follows_its_inputs(name, base()[1], other())


@settings(max_examples=25, deadline=None)
@given(step=st.integers(1, EVALUATIONS - 1), offset_ms=st.sampled_from([0, 0, 1, 7_500]), seed=st.integers(0, 2**31))
def test_another_future_changes_no_opinion_of_the_past(step: int, offset_ms: int, seed: int) -> None:
    log, known = base()
    now_ms = START_MS + step * GRID_MS
    changed = suite.opinions(suite.changed_after(log, now_ms + offset_ms, seed), now_ms)
    for name in all_factors():
        suite.nothing_after_counts(name, known, changed)
    assert len(changed) >= (step - 1) * len(all_factors())


def test_the_next_evaluation_does_see_the_change() -> None:
    """Else the change would be none."""
    log, known = base()
    now_ms = START_MS + 1_900 * GRID_MS
    changed = suite.opinions(suite.changed_after(log, now_ms, 1), now_ms + 20 * GRID_MS)
    moved = {name for (at_ms, name), value in changed.items() if at_ms > now_ms and known[at_ms, name] != value}
    assert moved >= {name for name, factor in all_factors().items() if factor.role == "vote"}
