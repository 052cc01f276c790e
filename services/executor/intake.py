"""From topics to the executor: each partition is followed on its own, so that a quiet one delays nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.kit.errors import BadMessage, UserError
from libs.streaming.deadletter import DeadLetters
from libs.streaming.follower import Follower
from libs.streaming.records import LogReader, Record, log_generations
from libs.trading.execution.books import Place

MOST_RECORDS = 500
_WAIT_MS = 500


@dataclass(frozen=True, slots=True)
class Came:
    """Where a record stood: its place in the books, and the next one's offset there."""

    place: Place
    next_offset: int


Take = Callable[[Sequence[tuple[Event | None, Came]]], Awaitable[None]]
"""Takes records in order, None for one that nobody can read; returns when their offsets may be forgotten."""


@dataclass(frozen=True, slots=True)
class Route:
    """A topic and who takes its events. `newest_of`: the newest word under that key from before this start counts."""

    topic: Topic
    take: Take
    newest_of: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """`offsets`: where the books say that reading goes on."""

    bootstrap: str
    offsets: Mapping[Place, int]
    letters: DeadLetters

    async def run(self, routes: Sequence[Route]) -> None:
        """Follow all routes until cancelled.

        Raises `UnreachableError` when no broker answers at the start, `UserError` for a log that has lost records.
        """
        generations = await log_generations(self.bootstrap, [route.topic.name for route in routes])
        starts: list[tuple[Route, Place, int, int]] = []
        async with LogReader(self.bootstrap) as log:
            for route in routes:
                for number in await log.partitions(route.topic.name):
                    place = place_of(route.topic, generations[route.topic.name], number)
                    starts.append((route, place, number, await self._start(log, route, place, number)))
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(self._follow(*start))

    async def _start(self, log: LogReader, route: Route, place: Place, number: int) -> int:
        end = await log.end(route.topic.name, number)
        if route.newest_of is not None:
            found = await log.newest(route.topic.name, number, route.newest_of.encode())
            return end if found is None else found
        start = self.offsets.get(place, 0)
        if start > end:
            raise UserError(
                f"{route.topic.name}:{number} ends at {end}, but the executor has read up to {start}",
                where=self.bootstrap,
                todo="the broker has lost records: restore its data, or recreate the topics",
            )
        return start

    async def _follow(self, route: Route, place: Place, number: int, start: int) -> None:
        follower = Follower(self.bootstrap, {(route.topic.name, number): start}, max_wait_ms=_WAIT_MS)
        await follower.start()
        try:
            while True:
                records = await follower.fetch(_WAIT_MS, MOST_RECORDS)
                if records:
                    await route.take([(await self._read(route, one), Came(place, one.offset + 1)) for one in records])
        finally:
            await follower.stop()

    async def _read(self, route: Route, record: Record) -> Event | None:
        try:
            return decode(record.value, record.headers, route.topic.events)
        except BadMessage as error:
            await self.letters.put(record, error)
            return None


def place_of(topic: Topic, generation: str, number: int) -> Place:
    """The books' name of a partition: a topic that was made anew is another place, which is read from its beginning."""
    return f"{topic.name} {generation}", number
