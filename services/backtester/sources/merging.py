"""Several ordered streams of events as one."""

from collections.abc import AsyncIterator, Sequence

from libs.contracts.timeline import PlacedEvent


async def each(events: Sequence[PlacedEvent]) -> AsyncIterator[PlacedEvent]:
    """Events that are in memory already."""
    for event in events:
        yield event


async def by_place(streams: Sequence[AsyncIterator[PlacedEvent]]) -> AsyncIterator[PlacedEvent]:
    """The events of all streams by their places; those of an earlier stream first where they are equal."""
    waiting = [(stream, await anext(stream, None)) for stream in streams]
    while True:
        ready = [(item.effective_at_ms, number) for number, (_, item) in enumerate(waiting) if item is not None]
        if not ready:
            return
        _, number = min(ready)
        stream, item = waiting[number]
        assert item is not None
        yield item
        waiting[number] = (stream, await anext(stream, None))
