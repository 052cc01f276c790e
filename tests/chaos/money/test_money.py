"""A short run of what `make chaos` does a thousand times, and the seeds that have found something once."""

import pytest

from tests.chaos.money.fleet import run_one

# What each of them found: a trade that waited for a stranger to leave (13, 44), funding lost at a close (4), a stranger's
# funding booked (70), stops held back for a minute by a full ten seconds (55, 61), no price after a halt of the simulator (256).
ONCE_FOUND = (4, 13, 44, 55, 61, 70, 256)
FURTHER = range(1001, 1013)


@pytest.mark.parametrize("seed", [*ONCE_FOUND, *FURTHER])
def test_nothing_is_doubled_lost_or_left_bare(seed: int) -> None:
    verdict = run_one(seed)
    assert verdict.findings == [], f"python -m tests.chaos.money --seed {seed} tells it again"
    assert verdict.counts["signals"] > 0
