"""The patient loop counts waiting, and no standstill."""

import asyncio
import time

from tests.support.patient_time import ROUND_SECONDS, PatientLoop, run_patiently


def test_what_is_waited_for_counts_and_a_standstill_does_not() -> None:
    real = time.monotonic

    async def waiting_and_standing_still() -> tuple[float, float, float, float]:
        begun, wall, looped = time.monotonic(), time.time_ns(), asyncio.get_running_loop().time()
        really = real()
        await asyncio.sleep(0.3)
        waited = time.monotonic() - begun
        while real() - really < 1.5:
            pass
        await asyncio.sleep(0)
        return (
            waited,
            time.monotonic() - begun,
            (time.time_ns() - wall) / 1e9,
            asyncio.get_running_loop().time() - looped,
        )

    waited, *in_all = run_patiently(waiting_and_standing_still())
    assert waited >= 0.3
    for counted in in_all:
        assert waited <= counted <= waited + 5 * ROUND_SECONDS
    assert time.monotonic is real


def test_a_second_run_begins_where_the_first_has_ended() -> None:
    async def now() -> tuple[float, float]:
        return asyncio.get_running_loop().time(), time.monotonic()

    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        first, _ = runner.run(now())
        begun = time.monotonic()
        while time.monotonic() - begun < 0.5:
            pass
        second, monotonic = runner.run(now())
    assert first <= second <= monotonic < first + 0.2
