"""Configurations that count and whose copies retention has taken from the timeline: who replays a cut log begins with them.

`control.strategy.v1` is kept for ever, the timeline for days. Which of its words were copied before the oldest record that is
left follows from the log itself: its first heartbeat has the position of each source (copies before it count for no reader).
"""

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.timeline import Source, TimelineHeartbeat
from libs.contracts.topics import STRATEGY_CONTROL, TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import TimelineCursor, accepted

STREAM = Source(STRATEGY_CONTROL.name, 0, 0).stream


async def aged_out(log: LogReader, partition: int, known: TimelineCursor | None = None) -> list[StrategyActivated]:
    """The words in their order, without those that the state of `known` has met. None for a log that has its beginning.

    A word that cannot be read was refused when it was copied, and is left out. Raises `UserError` as `LogReader` does.
    """
    beginning = await log.beginning(TIMELINE.name, partition)
    if beginning == 0:
        return []
    first = -1 if known is None else known.gate.positions.get(STREAM, -1)
    last = await _copied_before(log, partition, beginning)
    found: list[StrategyActivated] = []
    async for batch in log.range(STRATEGY_CONTROL.name, 0, first + 1, last + 1):
        found += [event for record in batch if (event := _word(record)) is not None]
    return found


async def _copied_before(log: LogReader, partition: int, beginning: int) -> int:
    """The offset of the last word that was copied before the timeline's oldest record; -1: none."""
    cursor, end = TimelineCursor(), await log.end(TIMELINE.name, partition)
    async for batch in log.range(TIMELINE.name, partition, beginning, end):
        for taken in accepted(batch, cursor, []):
            if taken.source is not None and taken.source.stream == STREAM:
                return taken.source.offset - 1
            if isinstance(taken.event, TimelineHeartbeat):
                return taken.event.positions.get(STREAM, -1)
    return -1


def _word(record: Record) -> StrategyActivated | None:
    try:
        event = decode(record.value, record.headers, STRATEGY_CONTROL.events)
    except BadMessage:
        return None
    return event if isinstance(event, StrategyActivated) else None
