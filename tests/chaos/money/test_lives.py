"""A sample of the deaths that `make chaos` tries at every await: wherever a process dies, the life of a position ends well."""

import pytest

from tests.chaos.money.lives import LIVES, Death, Life, live
from tests.chaos.money.plan import Role

SAMPLES = 6


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_without_a_death_each_life_ends_as_it_is_written(life: Life) -> None:
    verdict = live(Death(life.name))
    assert verdict.findings == []
    assert verdict.exits == ((life.ends,) if life.ends is not None else ())
    assert verdict.counts["deaths"] == 0


@pytest.mark.parametrize("role", ["executor", "guard"])
@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_death_at_any_await_costs_nothing(life: Life, role: Role) -> None:
    awaits = len(live(Death(life.name), listens=True).awaits[role])
    # Each life at other places, so that all of them together are a finer sample.
    first = 3 + 17 * LIVES.index(life)
    for number in range(first, awaits, -(-(awaits - first) // SAMPLES)):
        verdict = live(Death(life.name, role, number))
        told = f"python -m tests.chaos.money --life {life.name} --role {role} --awaits {number} tells it again"
        assert verdict.findings == [], told
        assert verdict.counts["deaths"] == 1
