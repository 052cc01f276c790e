"""Where paper accounts begin when there are none: at the first whole minute that every partition's log reaches back to."""

from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import TIMELINE
from libs.streaming.records import LogReader
from libs.streaming.timeline import TimelineCursor, accepted

MINUTE_MS = 60_000


async def first_minute(log: LogReader) -> int | None:
    """Its start (ms); None while no partition has a trade. A partition without trades begins when it has some."""
    firsts = [await _first_trades_ms(log, number) for number in await log.partitions(TIMELINE.name)]
    known = [first for first in firsts if first is not None]
    return -(-max(known) // MINUTE_MS) * MINUTE_MS if known else None


async def _first_trades_ms(log: LogReader, number: int) -> int | None:
    beginning, end = await log.beginning(TIMELINE.name, number), await log.end(TIMELINE.name, number)
    cursor = TimelineCursor()
    async for batch in log.range(TIMELINE.name, number, beginning, end):
        for taken in accepted(batch, cursor, []):
            if isinstance(taken.event, AggTradeFrame):
                return taken.event.event_time_ms
    return None
