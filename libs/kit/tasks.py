"""Running coroutines together: a service's until it is told to stop, a start's until all are done; one failure ends all."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def run_until(stopping: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Run `work` concurrently; returns when `stopping` is set and everything is cancelled.

    The first coroutine that raises or returns ends all; its exception is raised here (a service's work never ends by itself).
    """
    tasks = [asyncio.ensure_future(item) for item in work]
    stop = asyncio.ensure_future(stopping.wait())
    try:
        done, _ = await asyncio.wait((stop, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (stop, *tasks):
            task.cancel()
        await asyncio.gather(stop, *tasks, return_exceptions=True)


async def run_all(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run `work` concurrently until all of it is done; returns what each gave, in that order.

    The first failure is raised here, after everything else was cancelled and has ended: nothing goes on behind a failed start.
    """
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
