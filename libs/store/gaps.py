"""Gaps of the trade streams into PostgreSQL: each is a row from when it was found, and says how it ended."""

from collections.abc import Iterable, Sequence

from libs.contracts.market import NEVER_EXISTED, TradeGapChanged
from libs.contracts.timeline import PlacedHole
from libs.store.engine import WriteSession
from libs.store.instants import instant, known_instant
from libs.store.trades import count_missing, lock_symbols

# What a repair found stands, whatever is read again after it.
_INSERT_HOLES = """
INSERT INTO market_data_gaps AS kept (symbol, first_missing_id, last_missing_id, from_time, to_time, cause, outcome, effective_at)
SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
  $8::timestamptz[])
ON CONFLICT (symbol, first_missing_id, last_missing_id) DO UPDATE SET in_band = true, cause = EXCLUDED.cause,
  from_time = EXCLUDED.from_time, to_time = EXCLUDED.to_time, effective_at = EXCLUDED.effective_at,
  outcome = CASE WHEN kept.outcome = 'open' THEN EXCLUDED.outcome ELSE kept.outcome END
WHERE NOT kept.in_band
RETURNING symbol
"""
_CHANGE_GAPS = """
INSERT INTO market_data_gaps AS kept (symbol, first_missing_id, last_missing_id, from_time, to_time, cause, outcome,
  found_at, closed_at, unfilled_count, in_band)
SELECT *, false FROM unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[],
  $8::timestamptz[], $9::timestamptz[], $10::int8[])
ON CONFLICT (symbol, first_missing_id, last_missing_id) DO UPDATE SET
  found_at = EXCLUDED.found_at, closed_at = EXCLUDED.closed_at, unfilled_count = EXCLUDED.unfilled_count,
  outcome = CASE WHEN kept.outcome = 'open' THEN EXCLUDED.outcome ELSE kept.outcome END
WHERE kept.closed_at IS NULL
RETURNING symbol
"""


async def write_gaps(session: WriteSession, holes: Sequence[PlacedHole]) -> int:
    """Keep the holes that the table does not have as such, each with its place in the timeline; returns how many were new.

    Raises asyncpg errors.
    """
    rows = [
        (
            hole.symbol,
            hole.first_missing_id,
            hole.last_missing_id,
            instant(hole.from_ms),
            instant(hole.to_ms),
            hole.cause,
            "never_existed" if hole.cause == NEVER_EXISTED else "lost",
            known_instant(effective_at_ms),
        )
        for effective_at_ms, hole in holes
    ]
    return await _write(session, _INSERT_HOLES, rows)


async def write_gap_changes(session: WriteSession, changes: Iterable[TradeGapChanged]) -> int:
    """Keep what was found and how it ended, in log order; returns how many rows changed. Raises asyncpg errors."""
    # One statement may touch a row once: of several changes of a gap the last one says all.
    newest = {(change.symbol, change.first_missing_id, change.last_missing_id): change for change in changes}
    return await _write(session, _CHANGE_GAPS, [_row(change) for change in newest.values()])


async def _write(session: WriteSession, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
    if not rows:
        return 0
    await lock_symbols(session, (str(row[0]) for row in rows))
    changed = await session.raw.fetch(statement, *map(list, zip(*rows, strict=True)))
    await count_missing(session, list({row["symbol"] for row in changed}))
    return len(changed)


def _row(change: TradeGapChanged) -> tuple[object, ...]:
    return (
        change.symbol,
        change.first_missing_id,
        change.last_missing_id,
        instant(change.from_ms),
        instant(change.to_ms),
        change.cause,
        change.outcome,
        instant(change.found_ms),
        None if change.closed_ms is None else known_instant(change.closed_ms),
        change.unfilled,
    )
