"""Processes inside one: each can be killed at any of its awaits, stopped and continued, and leaves nothing behind but what
it has handed to somebody else.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

_current: ContextVar["Process | None"] = ContextVar("process", default=None)
Main = Callable[[], Coroutine[Any, Any, object]]
Place = tuple[tuple[str, int], ...]
"""An await: function and line, from the task down to what waits. Tasks that run the same lines are one."""


class Killed(BaseException):
    """The process that wanted something of the world is no more."""


@dataclass(eq=False)
class Process:
    """`steps`: how often its tasks were resumed, which is how many awaits have returned; it dies right before number `dies_at`
    does. `heard`: is told of each await that returns. `ended`: how its main coroutine ended, None while it runs."""

    name: str
    dies_at: int | None = None
    heard: Callable[[Place], None] | None = None
    steps: int = 0
    alive: bool = True
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    main: asyncio.Task[Any] | None = None
    _stopped: bool = False
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def start(self, main: Main) -> None:
        """Run it; whatever it starts belongs to this process."""
        context = copy_context()
        context.run(_current.set, self)
        self.main = context.run(lambda: asyncio.get_running_loop().create_task(main(), name=self.name))

    def check(self) -> None:
        """What every way into the world asks first. Raises `Killed`."""
        if not self.alive:
            raise Killed(self.name)

    def kill(self) -> None:
        """At once: nothing that its code does from now on reaches anybody."""
        if self.alive:
            self.alive = False
            self.resume()
            for task in list(self.tasks):
                task.cancel()

    def stop(self) -> None:
        """Like SIGSTOP: no task goes on, time does."""
        self._stopped = True

    def resume(self) -> None:
        """Like SIGCONT: everything that came meanwhile comes now."""
        self._stopped = False
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    @property
    def is_stopped(self) -> bool:
        """Whether it is held."""
        return self._stopped

    @property
    def works(self) -> bool:
        """Whether it can do anything: alive, not held, not ended by itself."""
        return self.alive and not self._stopped and self.main is not None and not self.main.done()

    def _step(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.steps += 1
        if self.heard is not None:
            self.heard(_place(coroutine))
        if self.dies_at is not None and self.steps >= self.dies_at and self.alive:
            self.kill()

    def driven(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Resume a coroutine step by step, as long as the process may run."""
        value: Any = None
        error: BaseException | None = None
        while True:
            while self._stopped and self.alive:
                future = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                try:
                    yield from future
                except BaseException as came:
                    error = came
            self._step(coroutine)
            if not self.alive and error is None:
                error = asyncio.CancelledError()
            try:
                wanted = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as end:
                return end.value
            value = error = None
            try:
                value = yield wanted
            except BaseException as came:
                error = came


def _place(coroutine: object) -> Place:
    found: list[tuple[str, int]] = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        found.append((frame.f_code.co_qualname, frame.f_lineno))
        coroutine = getattr(coroutine, "cr_await", None)
    return tuple(found)


@dataclass(frozen=True)
class _Driven:
    process: Process
    coroutine: Coroutine[Any, Any, Any]

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.process.driven(self.coroutine)


async def _await(driven: _Driven) -> Any:
    return await driven


def task_of_a_process(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any
) -> "asyncio.Task[Any]":
    """The loop's task factory: tasks belong to the process whose code starts them."""
    context = more.get("context")
    process = _current.get() if context is None else context.get(_current, None)
    if process is None:
        return asyncio.Task(coroutine, loop=loop, **more)
    task = asyncio.Task(_await(_Driven(process, coroutine)), loop=loop, **more)
    process.tasks.add(task)
    task.add_done_callback(process.tasks.discard)
    # One that was cancelled before its first step has never begun.
    task.add_done_callback(lambda _: coroutine.close())
    if not process.alive:
        task.cancel()
    return task


def outside(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """A task of the world: it goes on whatever becomes of the process that asks for it."""
    context = copy_context()
    context.run(_current.set, None)
    return asyncio.get_running_loop().create_task(coroutine, context=context)
