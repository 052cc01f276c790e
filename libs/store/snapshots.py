"""Snapshots of processor state: partition → offset, code version, bytes; kept where every worker can read them (rule 5)."""

import asyncio
import zlib
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.engine import read_session, write_session

_LOAD = text(
    "SELECT next_offset, state FROM engine_snapshots WHERE service = :service AND partition = :partition"
    " AND generation = :generation AND code_version = :code_version"
)
# An older worker that was only paused must not put an older state over a newer one of the same log and code.
_SAVE = """
INSERT INTO engine_snapshots AS kept (service, partition, generation, code_version, next_offset, state)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (service, partition) DO UPDATE SET generation = EXCLUDED.generation, code_version = EXCLUDED.code_version,
  next_offset = EXCLUDED.next_offset, state = EXCLUDED.state, saved_at = now()
WHERE kept.generation <> EXCLUDED.generation OR kept.code_version <> EXCLUDED.code_version
  OR kept.next_offset <= EXCLUDED.next_offset
RETURNING true
"""
# Most of an engine's state is empty buckets: the fastest level leaves an eighth of the bytes for the database to store.
_COMPRESSION = 1


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """Whose state: a service's, of one partition of one log generation, readable by one code version."""

    service: str
    partition: int
    generation: str
    code_version: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State as of all records below `next_offset`."""

    next_offset: int
    state: bytes


class PostgresSnapshots:
    """The latest snapshot per service and partition, packed and unpacked in a thread: a state may be megabytes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self, key: SnapshotKey) -> Snapshot | None:
        """The latest state, or None when there is none for this log and code version.

        Raises `UnreachableError`, and `ValueError` when what stands there was not saved by this code.
        """
        parameters = {
            "service": key.service,
            "partition": key.partition,
            "generation": key.generation,
            "code_version": key.code_version,
        }
        async with read_session(self._engine) as session:
            row = (await session.connection.execute(_LOAD, parameters)).one_or_none()
        if row is None:
            return None
        try:
            return Snapshot(row.next_offset, await asyncio.to_thread(zlib.decompress, row.state))
        except zlib.error as problem:
            raise ValueError(f"not a packed state: {problem}") from None

    async def save(self, key: SnapshotKey, snapshot: Snapshot) -> bool:
        """Keep `snapshot` unless a newer one of the same log and code stands there already; whether it was kept."""
        packed = await asyncio.to_thread(zlib.compress, snapshot.state, _COMPRESSION)
        async with write_session(self._engine) as session:
            kept = await session.raw.fetchval(
                _SAVE,
                key.service,
                key.partition,
                key.generation,
                key.code_version,
                snapshot.next_offset,
                packed,
            )
            return kept is True
