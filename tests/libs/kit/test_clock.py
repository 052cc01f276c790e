"""Clocks: venue time follows its anchor at its speed; a manual clock moves only when told."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.clock import Clock, ManualClock, SystemClock, VenueClock

VENUE = 1_723_075_200_000


@given(st.floats(0.1, 10_000))
def test_venue_time_advances_at_its_speed(speed: float) -> None:
    before = time.monotonic()
    clock = VenueClock(VENUE, speed)
    made = time.monotonic()
    while time.monotonic() == made:
        pass
    asked = time.monotonic()
    now = clock.now_ms()
    answered = time.monotonic()
    assert VENUE + (asked - made) * 1000 * speed - 1 <= now <= VENUE + (answered - before) * 1000 * speed


def test_synchronising_moves_the_anchor_and_says_how_far() -> None:
    clock = VenueClock(VENUE, 0.001)
    correction = clock.synchronise(VENUE + 5_000)
    assert 4_990 <= correction <= 5_000
    assert VENUE + 5_000 <= clock.now_ms() <= VENUE + 5_010
    assert clock.synchronise(VENUE) < -4_990


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_clock_needs_a_positive_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        VenueClock(VENUE, speed)


def test_a_time_that_cannot_have_come_yet_puts_the_clock_in_doubt() -> None:
    clock = VenueClock(VENUE)
    assert clock.believes(VENUE + 59_000)
    assert clock.believes(0)
    assert not clock.doubted.is_set()
    assert not clock.believes(clock.now_ms() + 61_000)
    assert clock.doubted.is_set()
    unpaced = VenueClock(VENUE, paced=False)
    assert unpaced.believes(VENUE + 10**12)
    assert not unpaced.doubted.is_set()


async def test_sleeping_is_on_the_clocks_own_scale() -> None:
    before = time.monotonic()
    await VenueClock(VENUE, speed=10_000).sleep(100)
    assert 0.009 <= time.monotonic() - before < 50


async def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(100)
    await asyncio.sleep(0)
    assert clock.now_ms() == 100
    await clock.sleep(1.5)
    clock.advance(1)
    assert clock.now_ms() == 1_601
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


async def test_the_system_clock_is_the_machines() -> None:
    clock: Clock = SystemClock()
    before, now, after = time.time_ns(), clock.now_ms(), time.time_ns()
    assert before // 1_000_000 <= now <= after // 1_000_000
    await clock.sleep(0)
