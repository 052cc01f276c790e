"""Monthly range partitions of agg_trades: made ahead of time, and for a batch's own months before it is written (rule 7)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession

MONTHS_AHEAD = 2
_NAME = re.compile(r"agg_trades_y(\d{4})m(\d{2})")
# Two sessions that make the same partition must come one after the other: "IF NOT EXISTS" alone may still collide.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('perpstream.agg_trades.partitions'))"
_LIST = text(
    "SELECT child.relname AS name, greatest(child.reltuples, 0)::bigint AS estimated_rows,"
    " pg_total_relation_size(child.oid) AS total_bytes"
    " FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
    " WHERE inhparent = 'agg_trades'::regclass ORDER BY child.relname"
)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month, UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, time_ms: int) -> "Month":
        """The month of an instant, milliseconds since the epoch."""
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
        return cls(moment.year, moment.month)

    def plus(self, months: int) -> "Month":
        """`months` later (or earlier)."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def start_ms(self) -> int:
        """The first instant of the month, milliseconds since the epoch."""
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp()) * 1000

    @property
    def partition(self) -> str:
        """The partition's table name."""
        return f"agg_trades_y{self.year:04d}m{self.month:02d}"

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition as the database has it; the row number is the planner's estimate."""

    name: str
    month: Month
    estimated_rows: int
    total_bytes: int


def is_partition_name(name: str) -> bool:
    """Whether a table name is one of ours for a month of agg_trades."""
    return _NAME.fullmatch(name) is not None


def months_between(first_ms: int, last_ms: int) -> tuple[Month, ...]:
    """Every month that the closed span touches, in order."""
    month, last = Month.of(first_ms), Month.of(last_ms)
    months = [month]
    while month < last:
        month = month.plus(1)
        months.append(month)
    return tuple(months)


def months_ahead(now_ms: int, ahead: int = MONTHS_AHEAD) -> tuple[Month, ...]:
    """The current month and the next `ahead` ones."""
    current = Month.of(now_ms)
    return tuple(current.plus(offset) for offset in range(ahead + 1))


async def existing_months(session: ReadSession | WriteSession) -> frozenset[Month]:
    """The months that have a partition."""
    return frozenset(state.month for state in await list_partitions(session))


async def list_partitions(session: ReadSession | WriteSession) -> list[PartitionState]:
    """Every partition of agg_trades, oldest first."""
    rows = (await session.connection.execute(_LIST)).all()
    states = []
    for row in rows:
        match = _NAME.fullmatch(row.name)
        if match:
            month = Month(int(match[1]), int(match[2]))
            states.append(PartitionState(row.name, month, row.estimated_rows, row.total_bytes))
    return states


async def create_partitions(session: WriteSession, months: Iterable[Month]) -> list[str]:
    """Make the missing partitions of these months; returns the names of those that were made now.

    Takes an advisory lock until the transaction ends, so any number of services may call it at once.
    """
    wanted = sorted(set(months))
    await session.raw.execute(_LOCK)
    existing = await existing_months(session)
    made = []
    for month in wanted:
        if month in existing:
            continue
        start = datetime(month.year, month.month, 1, tzinfo=UTC).isoformat()
        following = month.plus(1)
        end = datetime(following.year, following.month, 1, tzinfo=UTC).isoformat()
        # ATTACH lets readers and writers of other months go on; CREATE ... PARTITION OF would shut them out.
        await session.raw.execute(
            f"CREATE TABLE {month.partition} (LIKE agg_trades INCLUDING ALL);"
            f" ALTER TABLE agg_trades ATTACH PARTITION {month.partition} FOR VALUES FROM ('{start}') TO ('{end}')"
        )
        made.append(month.partition)
    return made
