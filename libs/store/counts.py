"""How many rows a table holds: the question of smoke tests and of `perpstream` after a run."""

from collections.abc import Sequence

from sqlalchemy import func, select

from libs.store.engine import ReadSession
from libs.store.tables import metadata


async def count_rows(session: ReadSession, tables: Sequence[str]) -> dict[str, int]:
    """Exact row counts by table name, all of one instant; `KeyError` for a name that is no table of ours."""
    counts = {}
    for name in tables:
        question = select(func.count()).select_from(metadata.tables[name])
        counts[name] = int((await session.connection.execute(question)).scalar_one())
    return counts
