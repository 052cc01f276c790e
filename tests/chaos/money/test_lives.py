"""A sample of the deaths that `make chaos` tries: wherever a process dies, the life of a position ends well."""

import pytest

from tests.chaos.money.lives import LIVES, NEAR_MS, REPEATS, Death, Life, live, tried
from tests.chaos.money.plan import Role
from tests.chaos.money.run import Await, Verdict

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


def test_a_guard_dies_at_each_await_near_a_change_and_a_few_times_at_each_place_in_calm() -> None:
    places = ((("look", 1),), (("look", 2), ("read", 7)))
    awaits = [Await(at_ms, place) for at_ms in range(0, 20_000, 100) for place in places]
    changes_ms = [5_050, 12_050]
    lived = Verdict(1, awaits={"guard": awaits, "executor": awaits}, changes_ms=changes_ms)
    near = {
        number
        for number, one in enumerate(awaits, 1)
        if any(abs(one.at_ms - changed_ms) <= NEAR_MS for changed_ms in changes_ms)
    }
    calm = set(tried("guard", lived)) - near
    assert near <= set(tried("guard", lived))
    assert len(near) == 2 * 8 * len(places)
    # The first of them after the beginning and after each change.
    assert len(calm) == REPEATS * len(places) * 3
    assert {awaits[number - 1].at_ms for number in calm} == {0, 100, 200, 5_500, 5_600, 5_700, 12_500, 12_600, 12_700}
    assert tried("executor", lived) == list(range(1, len(awaits) + 1))


def test_a_life_has_as_many_places_as_its_processes_have_awaits() -> None:
    lived = live(Death("targets"), listens=True)
    assert all(len({one.place for one in lived.awaits[role]}) > 40 for role in ("executor", "guard"))
    assert set(tried("guard", lived)) < set(range(1, len(lived.awaits["guard"]) + 1))
