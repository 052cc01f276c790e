"""What a drift check asks of the recorded day, and its result: one row a UTC day, written once and then only marked as told."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import text

from libs.store.engine import Engine, WriteSession, read_session, write_session

CheckState: TypeAlias = Literal["agreed", "differs", "not_comparable"]
_TIMEOUT_MS = 600_000
# By the symbols that are known, because the newest row of a symbol is one step in an index, and that of all is a long walk.
_NEWEST = text(
    "SELECT m.symbol,"
    " (SELECT event_time FROM signal_indicators i WHERE i.symbol = m.symbol ORDER BY event_time LIMIT 1) AS first,"
    " (SELECT event_time FROM signal_indicators i WHERE i.symbol = m.symbol ORDER BY event_time DESC LIMIT 1) AS last"
    " FROM agg_trades_meta m"
)
_EVALUATED = text(
    "SELECT m.symbol, found.evaluations, found.last FROM agg_trades_meta m CROSS JOIN LATERAL ("
    "SELECT count(*) AS evaluations, max(event_time) AS last FROM signal_indicators i"
    " WHERE i.symbol = m.symbol AND i.event_time >= :start AND i.event_time < :stop) AS found"
    " WHERE found.evaluations > 0 ORDER BY m.symbol"
)
_UNEXPLAINED = text(
    "WITH steps AS (SELECT lag(agg_id) OVER (ORDER BY agg_id) + 1 AS low, agg_id AS high FROM agg_trades"
    " WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :stop),"
    " missing AS (SELECT range_agg(int8range(low, high)) AS ids FROM steps WHERE low < high),"
    " explained AS (SELECT range_agg(int8range(first_missing_id, last_missing_id, '[]')) AS ids FROM market_data_gaps"
    " WHERE symbol = :symbol AND (in_band OR outcome = 'never_existed'))"
    " SELECT coalesce(sum(upper(part) - lower(part)), 0)::int8 FROM missing, explained,"
    " unnest(missing.ids - coalesce(explained.ids, '{}'::int8multirange)) AS part"
)
_CHECKS = text(
    "SELECT day, state, reason, rows_compared, rows_differing, evaluations, first_difference::text AS first_difference,"
    " began_at, finished_at, alerted_at FROM drift_checks ORDER BY day DESC LIMIT :most"
)
_WRITE = text(
    "INSERT INTO drift_checks (day, state, reason, rows_compared, rows_differing, evaluations, first_difference, began_at,"
    " finished_at, alerted_at) VALUES (:day, :state, :reason, :rows_compared, :rows_differing, :evaluations,"
    " CAST(:first_difference AS jsonb), :began_at, :finished_at, :alerted_at) ON CONFLICT (day) DO NOTHING"
)
_ALERTED = text("UPDATE drift_checks SET alerted_at = :at WHERE day = :day")


@dataclass(frozen=True, slots=True)
class DriftCheck:
    """The result of a day. `first_difference`: JSON of the earliest signal that differs; `alerted_at` None: not told yet."""

    day: dt.date
    state: CheckState
    reason: str
    rows_compared: int
    rows_differing: int
    evaluations: int
    first_difference: str | None
    began_at: dt.datetime
    finished_at: dt.datetime
    alerted_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A symbol's recorded evaluations in a span: how many, and the time of the last."""

    symbol: str
    evaluations: int
    last: dt.datetime


async def evaluation_bounds(engine: Engine) -> dict[str, tuple[dt.datetime, dt.datetime]]:
    """The first and the last recorded evaluation of each symbol that has any. Raises `UnreachableError`."""
    async with read_session(engine) as session:
        rows = (await session.connection.execute(_NEWEST)).all()
    return {row.symbol: (row.first, row.last) for row in rows if row.last is not None}


async def evaluated_in(engine: Engine, start: dt.datetime, stop: dt.datetime) -> list[Evaluated]:
    """The symbols that the live engine evaluated in [start, stop), UTC, in name order. Raises `UnreachableError`."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        rows = (await session.connection.execute(_EVALUATED, {"start": start, "stop": stop})).all()
    return [Evaluated(row.symbol, row.evaluations, row.last) for row in rows]


async def missing_without_hole(engine: Engine, symbol: str, start: dt.datetime, stop: dt.datetime) -> int:
    """How many trades between the first and the last row of [start, stop) are neither stored nor a hole of the timeline nor known
    never to have existed: the recorder lost them, and a replay cannot say what the live engine saw. Raises `UnreachableError`.
    """
    asked = {"symbol": symbol, "start": start, "stop": stop}
    async with read_session(engine, _TIMEOUT_MS) as session:
        found: int = (await session.connection.execute(_UNEXPLAINED, asked)).scalar_one()
    return found


async def drift_checks(engine: Engine, most: int) -> list[DriftCheck]:
    """The results of the newest `most` days, newest first. Raises `UnreachableError`."""
    async with read_session(engine) as session:
        rows: Sequence[Any] = (await session.connection.execute(_CHECKS, {"most": most})).all()
    return [DriftCheck(**row._mapping) for row in rows]


async def write_drift_check(session: WriteSession, check: DriftCheck) -> bool:
    """Keep the result; returns whether it is new. The first result of a day stays: two jobs cannot contradict each other."""
    values = {name: getattr(check, name) for name in DriftCheck.__dataclass_fields__}
    return (await session.connection.execute(_WRITE, values)).rowcount == 1


async def mark_alerted(engine: Engine, day: dt.date, at: dt.datetime) -> None:
    """Remember that the alert of a day was acknowledged. Raises `UnreachableError`."""
    async with write_session(engine) as session:
        await session.connection.execute(_ALERTED, {"day": day, "at": at})
