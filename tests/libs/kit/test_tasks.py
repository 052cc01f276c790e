"""Coroutines that belong together: one failure ends all of them, and nothing goes on behind it."""

import asyncio

import pytest

from libs.kit.tasks import run_all


async def test_all_are_done_when_it_returns() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    await run_all(*(work(number) for number in range(3)))
    assert done == [0, 1, 2]


async def test_the_first_failure_is_raised_after_the_others_have_ended() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned up")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("the broker did not start")

    with pytest.raises(ValueError, match="did not start"):
        await run_all(endless(), failing(), endless())
    assert ended == ["cleaned up", "cleaned up"]
