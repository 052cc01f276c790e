"""The judge sees each mistake that a trader may make, and nothing in a run without one."""

from dataclasses import replace

import pytest

from tests.chaos.money.market import JumpyMarket
from tests.chaos.money.plan import Plan, plan_of
from tests.chaos.money.run import Verdict, run_seed
from tests.chaos.money.scripted import Mistake, ScriptedParty

SEED = 11


def quiet(seed: int, start_ms: int, market: JumpyMarket) -> Plan:
    """Signals alone."""
    return replace(plan_of(seed, start_ms, market), faults=(), blows=(), words=())


def verdict(mistake: Mistake) -> Verdict:
    return run_seed(SEED, lambda: ScriptedParty(mistake), plan=quiet)


def test_an_honest_trader_is_not_blamed() -> None:
    found = verdict("none")
    assert found.findings == []
    assert found.counts["fills"] >= 2 * found.counts["entered"] > 0


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [
        ("no_stop", "bare_position"),
        ("enters_twice", "duplicate_entry"),
        ("leaves_stop", "orphan"),
        ("forgets_fill", "lost_fill"),
        ("invents_fill", "invented_fill"),
        ("forgets_signal", "signal_state"),
    ],
)
def test_each_mistake_is_found(mistake: Mistake, kind: str) -> None:
    assert kind in {finding.kind for finding in verdict(mistake).findings}


def test_a_seed_gives_the_same_run_again() -> None:
    first, second = (run_seed(SEED, ScriptedParty, plan=quiet, listens=True) for _ in range(2))
    assert first.trace == second.trace
    assert len(first.trace) > 100
