"""Virtual time passes by itself, and a process inside one can be killed, held and continued as the real ones can."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.chaos.money.processes import Killed, Process, outside, task_of_a_process
from tests.chaos.money.run import START_MS
from tests.chaos.money.virtual_time import Stalled, VirtualClock, run_virtually


def in_virtual_time(body: Callable[[VirtualClock], Awaitable[None]]) -> None:
    clock = VirtualClock(START_MS)

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(task_of_a_process)  # type: ignore[arg-type]
        await body(clock)

    run_virtually(clock, main)


async def count(seen: list[int], until: int) -> None:
    for number in range(until):
        await asyncio.sleep(1)
        seen.append(number)


def test_hours_pass_at_once_and_timeouts_with_them() -> None:
    async def body(clock: VirtualClock) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7200):
                await asyncio.Event().wait()
        assert clock.now_ms() == START_MS + 7_200_000

    in_virtual_time(body)


def test_whoever_waits_for_nothing_is_told_so() -> None:
    async def body(_: VirtualClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled):
        in_virtual_time(body)


@pytest.mark.parametrize("dies_at", range(2, 7))
def test_a_process_dies_right_before_the_await_that_was_named(dies_at: int) -> None:
    seen: list[int] = []

    async def body(_: VirtualClock) -> None:
        process = Process("one", dies_at=dies_at)
        process.start(lambda: count(seen, 10))
        await asyncio.sleep(20)
        assert not process.works
        assert process.main is not None
        assert process.main.cancelled()

    in_virtual_time(body)
    # The first step is the start, each further one the return of a sleep.
    assert seen == list(range(dies_at - 2))


def test_what_a_process_has_started_dies_with_it_and_what_it_asked_of_the_world_does_not() -> None:
    seen: list[int] = []
    asked: list[int] = []

    async def parent() -> None:
        child = asyncio.create_task(count(seen, 10))
        _travelling = outside(count(asked, 3))
        await child

    async def body(_: VirtualClock) -> None:
        process = Process("one")
        process.start(parent)
        await asyncio.sleep(1.5)
        process.kill()
        await asyncio.sleep(10)

    in_virtual_time(body)
    assert seen == [0]
    assert asked == [0, 1, 2]


def test_whatever_a_dying_process_tidies_up_reaches_nobody() -> None:
    reached: list[str] = []

    async def tidy(process: Process) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            process.check()
            reached.append("the world")

    async def body(_: VirtualClock) -> None:
        process = Process("one")
        process.start(lambda: tidy(process))
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(1)
        assert process.main is not None
        assert isinstance(process.main.exception(), Killed)

    in_virtual_time(body)
    assert reached == []


def test_a_held_process_does_nothing_until_it_is_continued_and_then_finds_its_timeout_over() -> None:
    seen: list[str] = []

    async def hurried() -> None:
        try:
            async with asyncio.timeout(2):
                await asyncio.sleep(1000)
        except TimeoutError:
            seen.append("too late")

    async def body(_: VirtualClock) -> None:
        process = Process("one")
        process.start(hurried)
        await asyncio.sleep(1)
        process.stop()
        await asyncio.sleep(30)
        assert seen == []
        process.resume()
        await asyncio.sleep(0.01)
        assert seen == ["too late"]

    in_virtual_time(body)
