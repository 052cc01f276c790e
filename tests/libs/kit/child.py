"""A service for the tests of the shell: what it does is the first argument; lines on stdin tell it when.

`python -m tests.libs.kit.child ready|hang|block|stuck|crash|unreachable|…`: see `MODES`
"""

import asyncio
import sys
import time

from libs.kit.errors import UnreachableError
from libs.kit.service import ServiceContext, run_service


async def _follow_stdin(context: ServiceContext) -> None:
    context.expect("source", "database")
    context.fulfil("database")
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "fulfil":
            context.fulfil("source")
        else:
            context.miss("source", line)


async def _ready(context: ServiceContext) -> None:
    follower = asyncio.create_task(_follow_stdin(context))
    await context.stopping.wait()
    sys.stdin.close()
    follower.cancel()


async def _hang(context: ServiceContext) -> None:
    await context.stopping.wait()
    await asyncio.Event().wait()


async def _block(context: ServiceContext) -> None:
    await context.stopping.wait()
    time.sleep(60)  # noqa: ASYNC251 - a blocked loop is what this mode is about


async def _stuck(context: ServiceContext) -> None:
    context.expect("never")
    print("stuck", flush=True)
    time.sleep(60)  # noqa: ASYNC251 - a loop that no signal can wake


async def _crash(_: ServiceContext) -> None:
    raise RuntimeError("no such thing at postgresql://u:hunter2@db/x")


async def _unreachable(_: ServiceContext) -> None:
    raise UnreachableError("the broker does not answer", where="127.0.0.1:1", todo="start it")


async def _unreachable_in_a_group(context: ServiceContext) -> None:
    async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
        outer.create_task(asyncio.Event().wait())
        inner.create_task(_unreachable(context))


async def _crash_in_a_group(context: ServiceContext) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_unreachable(context))
        group.create_task(_crash(context))


async def _returns(_: ServiceContext) -> None:
    return None


MODES = {
    "ready": _ready,
    "hang": _hang,
    "block": _block,
    "stuck": _stuck,
    "crash": _crash,
    "unreachable": _unreachable,
    "unreachable_in_a_group": _unreachable_in_a_group,
    "crash_in_a_group": _crash_in_a_group,
    "returns": _returns,
}

if __name__ == "__main__":
    run_service("child", MODES[sys.argv[1]])
