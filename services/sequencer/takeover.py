"""Taking a partition: read the log's tail, fence, read on to the own fence, and know whether it counted."""

from collections.abc import AsyncIterator
from typing import Protocol

from libs.contracts.event import Event
from libs.contracts.topics import SEQUENCED, STRATEGY_CONTROL, TIMELINE
from libs.kit.errors import UserError
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import tail_before
from services.sequencer.core import SequencerCore


class Appender(Protocol):
    """Appends one of the sequencer's own records to its timeline partition and returns the offset."""

    async def __call__(self, event: Event) -> int: ...


class TimelineLog:
    """Reads of one timeline partition over an open connection."""

    def __init__(self, reader: LogReader, partition: int) -> None:
        self._reader, self._partition = reader, partition

    async def end(self) -> int:
        """The offset that the next record will have."""
        return await self._reader.end(TIMELINE.name, self._partition)

    async def tail(self, end: int) -> list[Record]:
        """What makes up the state at the offset `end`, in order."""
        return (await tail_before(self._reader, self._partition, end)).records

    async def read(self, start: int, end: int) -> AsyncIterator[Record]:
        """The records of [start, end) in order."""
        async for batch in self._reader.range(TIMELINE.name, self._partition, start, end):
            for record in batch:
                yield record


async def take(log: TimelineLog, core: SequencerCore, append: Appender, owner: str) -> int:
    """Fence until a fence of ours counts; returns the offset after it. The core stands at that place."""
    position = await log.end()
    for record in await log.tail(position):
        core.follow(record)
    while True:
        fence = core.fence(owner)
        offset = await append(fence)
        counted = False
        async for record in log.read(position, offset + 1):
            accepted = core.follow(record)
            counted = accepted if record.offset == offset else counted
        position = offset + 1
        if counted:
            return position


async def source_starts(reader: LogReader, core: SequencerCore) -> dict[tuple[str, int], int]:
    """The next offset of every source of the core's partition.

    Raises `UserError` when a source topic ends before our position: it was made anew, the timeline was not.
    """
    sources = [(topic.name, core.partition) for topic in SEQUENCED] + [(STRATEGY_CONTROL.name, 0)]
    starts = {}
    for topic, partition in sources:
        following = core.position(topic, partition) + 1
        if following > await reader.end(topic, partition):
            raise UserError(
                f"{topic} partition {partition} ends before offset {following}, which the timeline has already copied",
                where=f"{TIMELINE.name} partition {core.partition}",
                todo="the topics belong to different runs: recreate all of them with `perpstream topics create --recreate`",
            )
        starts[topic, partition] = following
    return starts
