"""Configurations on all cores: workers are forked from a process that has the tables, so that nobody copies them."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")
PARENT_LOOK_S = 1.0


class WorkerDied(RuntimeError):
    """A worker ended without an answer; what was written stays, and the sweep can be started again."""


class Workers(Generic[Job, Answer]):
    """Processes that answer jobs; answers come in whatever order, each with its job's place."""

    def __init__(self, answer: Callable[[Job], Answer], connections: Sequence[Connection]) -> None:
        self._answer, self._connections = answer, list(connections)

    def answers(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        """Each job's place and answer, as they come. Raises `WorkerDied`."""
        if not self._connections:
            for place, job in enumerate(jobs):
                yield place, self._answer(job)
            return
        places = iter(range(len(jobs)))
        busy: dict[Connection, int] = {}
        for connection in self._connections:
            self._give(connection, places, jobs, busy)
        while busy:
            for ready in wait(list(busy)):
                connection = next(each for each in busy if each is ready)
                place = busy.pop(connection)
                try:
                    answer = connection.recv()
                except EOFError:
                    raise WorkerDied("a worker of the sweep died") from None
                if isinstance(answer, BaseException):
                    raise answer
                self._give(connection, places, jobs, busy)
                yield place, answer

    def _give(
        self, connection: Connection, places: Iterator[int], jobs: Sequence[Job], busy: dict[Connection, int]
    ) -> None:
        place = next(places, None)
        if place is not None:
            connection.send(jobs[place])
            busy[connection] = place


@contextmanager
def workers(answer: Callable[[Job], Answer], count: int) -> Iterator[Workers[Job, Answer]]:
    """So many processes while the block runs; 1: this process answers by itself. They see what this process has now."""
    if count <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield Workers(answer, [])
        return
    context = multiprocessing.get_context("fork")
    started, ends = [], list[Connection]()
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(answer, theirs, [*ends, ours], os.getpid()), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        ends.append(ours)
    try:
        yield Workers(answer, ends)
    finally:
        for end in ends:
            end.close()
        for process in started:
            process.terminate()
            process.join()


def _work(answer: Callable[[Job], Answer], jobs: Connection, others: Sequence[Connection], parent: int) -> None:
    """Answer until the other end is closed, or whoever started this is gone; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()
    while os.getppid() == parent:
        if not jobs.poll(PARENT_LOOK_S):
            continue
        try:
            job = jobs.recv()
        except EOFError:
            return
        try:
            jobs.send(answer(job))
        except Exception as error:  # the parent raises it
            jobs.send(error)
