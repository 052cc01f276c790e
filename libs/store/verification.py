"""Is the stored trade history of a symbol complete? Asked of the rows themselves, not of what was written about them."""

import datetime as dt
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import UserError
from libs.store.engine import QuestionTooSlow, read_session

_VERIFY_TIMEOUT_MS = 600_000
# Rows of the span in id order, each beside the one before it. A doubled id has rows at two times, or in two partitions.
_PAIRS = """
WITH rows AS (
  SELECT agg_id, trade_time,
         lag(agg_id) OVER by_id AS id_before, lag(trade_time) OVER by_id AS time_before
  FROM agg_trades WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :stop
  WINDOW by_id AS (ORDER BY agg_id, trade_time)
)
"""
_DAYS = text(
    _PAIRS
    + """
SELECT (trade_time AT TIME ZONE 'UTC')::date AS day, count(*) AS rows, min(agg_id) AS first_id, max(agg_id) AS last_id,
       coalesce(sum(agg_id - id_before - 1) FILTER (WHERE agg_id > id_before + 1), 0)::bigint AS missing,
       count(*) FILTER (WHERE agg_id = id_before) AS doubled,
       count(*) FILTER (WHERE trade_time < time_before) AS backwards
FROM rows GROUP BY day ORDER BY day
"""
)
# The ids that are missing, each hole beside what of it is known never to have existed. Both sides are merged as multiranges, in
# one pass: a join of every hole with every row of market_data_gaps would be their product. Where a row has come after all, what
# was said of its neighbours is no proof.
_JUDGED = (
    _PAIRS  # noqa: S608 - both parts are constants of this file
    + """,
holes AS (
  SELECT id_before + 1 AS first_id, agg_id - 1 AS last_id, time_before AS after, trade_time AS before
  FROM rows WHERE agg_id > id_before + 1),
never AS (
  SELECT lower(part) AS first_id, upper(part) - lower(part) AS ids FROM unnest(
    (SELECT range_agg(int8range(first_id, last_id, '[]')) FROM holes)
    * (SELECT range_agg(int8range(first_missing_id, last_missing_id, '[]')) FROM market_data_gaps AS gap
       WHERE symbol = :symbol AND outcome = 'never_existed' AND NOT EXISTS (
         SELECT FROM agg_trades AS k WHERE k.symbol = :symbol
           AND k.agg_id BETWEEN gap.first_missing_id AND gap.last_missing_id))) AS part),
owned AS (
  SELECT max(hole) OVER (ORDER BY first_id) AS hole, ids
  FROM (SELECT first_id, first_id AS hole, 0 AS ids FROM holes UNION ALL SELECT first_id, NULL, ids FROM never) AS marks),
judged AS (
  SELECT holes.*, never_existed FROM holes
  JOIN (SELECT hole AS first_id, sum(ids)::bigint AS never_existed FROM owned GROUP BY hole) AS verdicts USING (first_id))
"""
)
_NEVER_EXISTED = text(
    _JUDGED
    + """
SELECT (before AT TIME ZONE 'UTC')::date AS day, sum(never_existed)::bigint AS never_existed FROM judged GROUP BY day
"""
)
# Of several rows that cover a gap, the one that begins nearest to it says the most about it.
_GAPS = text(
    _JUDGED  # noqa: S608 - both parts are constants of this file
    + """
SELECT first_id, last_id, after, before,
       (SELECT cause FROM market_data_gaps AS gap WHERE gap.symbol = :symbol
         AND gap.first_missing_id <= judged.first_id AND gap.last_missing_id >= judged.last_id
         ORDER BY gap.first_missing_id DESC, gap.last_missing_id LIMIT 1) AS cause, never_existed
FROM judged ORDER BY first_id LIMIT :most
"""
)

_NEWEST = text(  # of several rows, because time may go backwards
    "SELECT max(trade_time) FROM"
    " (SELECT trade_time FROM agg_trades WHERE symbol = :symbol ORDER BY agg_id DESC LIMIT 1000) AS newest"
)


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day. `missing`: ids between the day's rows and the row before each, without those of which market_data_gaps says
    that they `never_existed`; `doubled`: rows whose id another row has; `backwards`: rows with an earlier time than the row of
    the id before."""

    day: dt.date
    rows: int
    first_id: int
    last_id: int
    missing: int
    doubled: int
    backwards: int
    never_existed: int = 0

    @property
    def completeness_ppm(self) -> int:
        """Rows of the ids that there should be, in parts per million; rounded down, so that only all of them are a million."""
        distinct = self.rows - self.doubled
        return distinct * 1_000_000 // (distinct + self.missing)


@dataclass(frozen=True, slots=True)
class Gap:
    """Ids that no row has, both inclusive, and the times of the rows around them. `cause`: what market_data_gaps says of them;
    `never_existed`: so many of them are known not to exist."""

    first_id: int
    last_id: int
    after: dt.datetime
    before: dt.datetime
    cause: str | None
    never_existed: int = 0

    @property
    def missing(self) -> int:
        """How many of the ids there should be, as far as is known."""
        return self.last_id - self.first_id + 1 - self.never_existed


@dataclass(frozen=True, slots=True)
class Verification:
    """What the rows of a symbol in [start, stop) say."""

    symbol: str
    start: dt.datetime
    stop: dt.datetime
    days: tuple[Day, ...]
    gaps: tuple[Gap, ...]

    @property
    def sound(self) -> bool:
        """There are rows, no id that exists is missing, none is doubled, and time never goes backwards."""
        return bool(self.days) and not any(day.missing or day.doubled or day.backwards for day in self.days)


async def newest_trade(engine: AsyncEngine, symbol: str) -> dt.datetime | None:
    """When the symbol's newest stored trade was; None without any. Raises `UnreachableError`."""
    async with read_session(engine, _VERIFY_TIMEOUT_MS) as session:
        found: dt.datetime | None = (await session.connection.execute(_NEWEST, {"symbol": symbol})).scalar()
        return found


async def verify(
    engine: AsyncEngine, symbol: str, start: dt.datetime, stop: dt.datetime, most_gaps: int = 1000
) -> Verification:
    """Read every row of the symbol in [start, stop), times in UTC; the first `most_gaps` gaps are listed.

    A month of a busy symbol takes minutes, and is no transaction that others wait for. Raises `UnreachableError`, and
    `UserError` when it takes too long.
    """
    asked = {"symbol": symbol, "start": start, "stop": stop}
    try:
        async with read_session(engine, _VERIFY_TIMEOUT_MS) as session:
            days = tuple(Day(*row) for row in (await session.connection.execute(_DAYS, asked)).all())
            if not any(day.missing for day in days):
                return Verification(symbol, start, stop, days, ())
            never = (await session.connection.execute(_NEVER_EXISTED, asked)).all()
            gaps = (await session.connection.execute(_GAPS, {**asked, "most": most_gaps})).all()
    except QuestionTooSlow as error:
        raise UserError(str(error), where=f"{symbol} from {start} to {stop}", todo="ask for fewer days") from None
    counts = {row.day: int(row.never_existed) for row in never}
    judged = (_without(day, counts.get(day.day, 0)) for day in days)
    return Verification(symbol, start, stop, tuple(judged), tuple(Gap(*row) for row in gaps))


def _without(day: Day, never_existed: int) -> Day:
    return replace(day, missing=day.missing - never_existed, never_existed=never_existed)
