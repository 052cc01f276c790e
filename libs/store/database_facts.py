"""How large the database is and at which revision: what people who keep a server running ask."""

from dataclasses import dataclass

from sqlalchemy import text

from libs.store.engine import ReadSession

_FACTS = text("""
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size_bytes,
  (SELECT version_num FROM alembic_version) AS revision,
  (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections
""")
_LARGEST = text("""
SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::int8 AS size_bytes,
  sum(greatest(c.reltuples, 0))::int8 AS estimated_rows
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its partitions and indexes; the rows are the planner's estimate."""

    name: str
    size_bytes: int
    estimated_rows: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The server's version, what our database occupies on its disk, its schema's revision, and who is connected."""

    version: str
    size_bytes: int
    revision: str
    connections: int
    largest: tuple[TableSize, ...]


async def database_facts(session: ReadSession, most: int = 10) -> DatabaseFacts:
    """The facts of now, with the `most` largest tables."""
    facts = (await session.connection.execute(_FACTS)).one()
    tables = (await session.connection.execute(_LARGEST, {"most": most})).all()
    largest = tuple(TableSize(*row) for row in tables)
    return DatabaseFacts(facts.version, facts.size_bytes, facts.revision, facts.connections, largest)
