"""What becomes of the gaps of a span when its missing trades were looked for again: the tables say so, the timeline stays."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from libs.contracts.market import NEVER_EXISTED
from libs.store.engine import WriteSession
from libs.store.trades import count_missing, lock_symbols

FOUND_BY_VERIFY = "found_by_verify"
RepairOutcome = Literal["filled", "never_existed", "lost"]
_STILL_MISSING = """
SELECT id_before + 1 AS first_id, agg_id - 1 AS last_id FROM (
  SELECT agg_id, lag(agg_id) OVER (ORDER BY agg_id) AS id_before FROM agg_trades
  WHERE symbol = $1 AND agg_id BETWEEN $2 - 1 AND $3 + 1) AS neighbours
WHERE agg_id > id_before + 1 ORDER BY agg_id
"""
_KEEP = """
INSERT INTO market_data_gaps AS kept (symbol, first_missing_id, last_missing_id, from_time, to_time, cause, outcome, found_at,
  closed_at, unfilled_count, in_band)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, false)
ON CONFLICT (symbol, first_missing_id, last_missing_id) DO UPDATE SET outcome = EXCLUDED.outcome, closed_at = EXCLUDED.closed_at,
  unfilled_count = EXCLUDED.unfilled_count WHERE kept.outcome IN ('open', 'lost')
"""
# Each gap that touches the span, judged by the rows that there are now and by what is known never to have existed. A verdict of
# "never existed" ends where a row has come, and says nothing more about the ids beside it. What was filled stays so.
_CLOSE = """
WITH touched AS (
  SELECT g.*, g.last_missing_id - g.first_missing_id + 1 AS size,
    (SELECT count(DISTINCT k.agg_id) FROM agg_trades k WHERE k.symbol = g.symbol
      AND k.agg_id BETWEEN g.first_missing_id AND g.last_missing_id) AS present
  FROM market_data_gaps g WHERE g.symbol = $1 AND g.first_missing_id <= $3 AND g.last_missing_id >= $2),
judged AS (
  SELECT t.symbol, t.first_missing_id, t.last_missing_id, t.size - t.present AS unfilled, t.present,
    (SELECT coalesce(sum(upper(part) - lower(part)), 0) FROM unnest(
      (SELECT range_agg(int8range(n.first_missing_id, n.last_missing_id, '[]')) FROM market_data_gaps n
        WHERE n.symbol = t.symbol AND n.outcome = 'never_existed'
          AND n.first_missing_id <= t.last_missing_id AND n.last_missing_id >= t.first_missing_id
          AND NOT EXISTS (SELECT FROM agg_trades k WHERE k.symbol = n.symbol
            AND k.agg_id BETWEEN n.first_missing_id AND n.last_missing_id))
      * int8multirange(int8range(t.first_missing_id, t.last_missing_id, '[]'))) AS part) AS never
  FROM touched t),
ended AS (
  SELECT *, CASE WHEN never < unfilled THEN 'lost' WHEN present > 0 THEN 'filled' ELSE 'never_existed' END AS outcome
  FROM judged)
UPDATE market_data_gaps AS kept SET unfilled_count = unfilled,
  outcome = CASE WHEN kept.outcome = 'filled' THEN kept.outcome ELSE ended.outcome END, closed_at = $4
FROM ended WHERE kept.symbol = ended.symbol AND kept.first_missing_id = ended.first_missing_id
  AND kept.last_missing_id = ended.last_missing_id AND (kept.outcome IN ('open', 'lost')
    OR (kept.outcome = 'never_existed' AND present > 0) OR (kept.outcome = 'filled' AND kept.unfilled_count > unfilled))
"""
# Of the ids in these ranges, those that never existed, as the rows say after `_CLOSE`.
_NEVER_EXISTED = """
SELECT coalesce(sum(upper(part) - lower(part)), 0)::int8 FROM unnest(
  (SELECT range_agg(int8range(first_missing_id, last_missing_id, '[]')) FROM market_data_gaps
    WHERE symbol = $1 AND outcome = 'never_existed' AND first_missing_id <= $3 AND last_missing_id >= $2)
  * (SELECT range_agg(int8range(first_id, last_id, '[]')) FROM unnest($4::int8[], $5::int8[]) AS t (first_id, last_id))) AS part
"""
_IS_KNOWN = """
SELECT EXISTS (SELECT FROM market_data_gaps WHERE symbol = $1 AND first_missing_id <= $2 AND last_missing_id >= $3)
"""


@dataclass(frozen=True, slots=True)
class SearchedGap:
    """Ids (both inclusive) that no row had, between two rows at these times, and that were looked for.

    `proven`: the source has the ids before and after it and showed everything between them.
    """

    symbol: str
    first_id: int
    last_id: int
    after: dt.datetime
    before: dt.datetime
    proven: bool

    @property
    def size(self) -> int:
        """How many ids."""
        return self.last_id - self.first_id + 1


@dataclass(frozen=True, slots=True)
class RepairedGap:
    """How it ended. `filled` ids have rows now, `never_existed` are known not to exist, `lost` could not be had."""

    first_id: int
    last_id: int
    outcome: RepairOutcome
    filled: int
    never_existed: int
    lost: int


async def close_gap(session: WriteSession, gap: SearchedGap, closed_at: dt.datetime) -> RepairedGap:
    """Write how the gap ended into every row of market_data_gaps that touches it, or make one; counts the missing ids anew.

    The trades that were found are in agg_trades already. What is returned is what the rows say then, so also what an earlier
    search has proven. Raises asyncpg errors.
    """
    await lock_symbols(session, [gap.symbol])
    left = await session.raw.fetch(_STILL_MISSING, gap.symbol, gap.first_id, gap.last_id)
    missing = sum(row["last_id"] - row["first_id"] + 1 for row in left)
    filled = gap.size - missing
    known = await session.raw.fetchval(_IS_KNOWN, gap.symbol, gap.first_id, gap.last_id)

    async def keep(first: int, last: int, cause: str, outcome: RepairOutcome) -> None:
        unfilled = missing if (first, last) == (gap.first_id, gap.last_id) else last - first + 1
        times = (gap.after, gap.before)
        await session.raw.execute(_KEEP, gap.symbol, first, last, *times, cause, outcome, closed_at, unfilled)

    if gap.proven:
        for row in left:
            await keep(row["first_id"], row["last_id"], NEVER_EXISTED, "never_existed")
    outcome: RepairOutcome = "lost" if missing and not gap.proven else "filled" if filled else "never_existed"
    if not known and outcome != "never_existed":
        await keep(gap.first_id, gap.last_id, FOUND_BY_VERIFY, outcome)
    await session.raw.execute(_CLOSE, gap.symbol, gap.first_id, gap.last_id, closed_at)
    await count_missing(session, [gap.symbol])
    ends = [row["first_id"] for row in left], [row["last_id"] for row in left]
    never = await session.raw.fetchval(_NEVER_EXISTED, gap.symbol, gap.first_id, gap.last_id, *ends)
    ended: RepairOutcome = "lost" if never < missing else "filled" if filled else "never_existed"
    return RepairedGap(gap.first_id, gap.last_id, ended, filled, never, missing - never)
