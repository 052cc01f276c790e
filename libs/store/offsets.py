"""Consumer positions in PostgreSQL: moved by compare-and-set inside the transaction that writes the rows (ARCHITECTURE rule 6).

A generation names one incarnation of a topic (cluster id and topic id). Each has its own rows, so a new log with an old
database starts at its beginning and relies on keys.
"""

from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import OffsetConflict
from libs.store.engine import WriteSession, read_session

__all__ = ["LogPartition", "OffsetConflict", "PostgresOffsets", "advance"]

_LOAD = text(
    "SELECT next_offset FROM consumer_offsets WHERE consumer_group = :group AND topic = :topic"
    " AND partition = :partition AND generation = :generation"
)
_CLAIM = (
    "INSERT INTO consumer_offsets (consumer_group, topic, partition, generation, next_offset)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING next_offset"
)
_ADVANCE = (
    "UPDATE consumer_offsets SET next_offset = $5, updated_at = now() WHERE consumer_group = $1 AND topic = $2"
    " AND partition = $3 AND generation = $4 AND next_offset = $6 RETURNING next_offset"
)


class LogPartition(NamedTuple):
    """One partition of one incarnation of a topic, as one consumer group reads it."""

    group: str
    topic: str
    partition: int
    generation: str


async def advance(session: WriteSession, log: LogPartition, old: int | None, new: int) -> None:
    """Move the next offset to read from `old` to `new` (`old` None: the first time). Raises `OffsetConflict`.

    Call it first in the transaction: the row stays locked until the commit, so two owners of a partition write one after
    the other, and the second one fails before it has written anything.
    """
    if old is not None and new < old:
        raise ValueError(f"a position does not run backwards: {old} to {new}")
    if old is None:
        moved = await session.raw.fetchval(_CLAIM, *log, new)
    else:
        moved = await session.raw.fetchval(_ADVANCE, *log, new, old)
    if moved is None:
        raise OffsetConflict(f"{log.topic}:{log.partition} of {log.group} no longer stands at {old}")


class PostgresOffsets:
    """Where consumers go on; the reading half of the consumer's `OffsetStore`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self, group: str, topic: str, partition: int, generation: str) -> int | None:
        """The next offset to read, or None when this group has never read this incarnation of the log."""
        parameters = LogPartition(group, topic, partition, generation)._asdict()
        async with read_session(self._engine) as session:
            found: int | None = (await session.connection.execute(_LOAD, parameters)).scalar_one_or_none()
            return found
