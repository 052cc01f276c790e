"""How good a strategy was on paper, and its curve: figures over closed trades, and the points of its equity."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from libs.store.engine import Engine, read_session
from libs.store.paper_questions import ProfitRange

STATISTICS = text("""
WITH closed AS (
  SELECT *, sum(net) OVER (PARTITION BY strategy ORDER BY exit_time, trade_id) AS made
  FROM paper_trades WHERE state = 'closed' AND exit_time >= :start AND exit_time < :stop
    AND (CAST(:strategy AS text) IS NULL OR strategy = :strategy)),
fallen AS (
  SELECT *, greatest(0, max(made) OVER (PARTITION BY strategy ORDER BY exit_time, trade_id)) - made AS below_peak FROM closed)
SELECT strategy, count(*) AS trades, count(*) FILTER (WHERE net > 0) AS won, count(*) FILTER (WHERE net < 0) AS lost,
  coalesce(sum(net) FILTER (WHERE net > 0), 0) AS gains, -coalesce(sum(net) FILTER (WHERE net < 0), 0) AS losses,
  sum(net) AS net, sum(fees) AS fees, sum(slippage) AS slippage, sum(funding) AS funding, sum(net_r)::float8 AS net_r,
  avg(net_r)::float8 AS mean_r, max(net_r)::float8 AS best_r, min(net_r)::float8 AS worst_r,
  avg(adverse_r)::float8 AS mean_adverse_r, avg(favourable_r)::float8 AS mean_favourable_r,
  (extract(epoch FROM avg(exit_time - entry_time)) * 1000)::int8 AS mean_hold_ms, max(below_peak) AS deepest_fall
FROM fallen GROUP BY strategy ORDER BY strategy
""")
# The last point of each step, so that a long curve is few points and each of them was.
EQUITY = text("""
SELECT DISTINCT ON (strategy, step) strategy, event_time, equity, open_positions, exposure FROM (
  SELECT *, date_bin(make_interval(secs => :seconds), event_time, timestamptz 'epoch') AS step FROM paper_equity
  WHERE strategy = ANY(:strategies) AND event_time >= :start AND event_time < :stop) AS points
ORDER BY strategy, step, event_time DESC
""")
_NEWEST = text("""
SELECT a.strategy, (SELECT max(event_time) FROM paper_equity e WHERE e.strategy = a.strategy) AS newest
FROM paper_accounts a ORDER BY a.strategy
""")


@dataclass(frozen=True, slots=True)
class PaperStatistics:
    """Closed trades of a strategy in quote units and R; `losses` and `deepest_fall` (of what was made, from its peak) are above
    0."""

    strategy: str
    trades: int
    won: int
    lost: int
    gains: Decimal
    losses: Decimal
    net: Decimal
    fees: Decimal
    slippage: Decimal
    funding: Decimal
    net_r: float | None
    mean_r: float | None
    best_r: float | None
    worst_r: float | None
    mean_adverse_r: float | None
    mean_favourable_r: float | None
    mean_hold_ms: int | None
    deepest_fall: Decimal


@dataclass(frozen=True, slots=True)
class EquityAt:
    """A point of a curve, in quote units; `exposure`: the notional that was held."""

    strategy: str
    event_time: dt.datetime
    equity: float
    open_positions: int
    exposure: float


@dataclass(frozen=True, slots=True)
class EquitySpan:
    """Points of [start, stop), the last of each `step`."""

    strategies: tuple[str, ...]
    start: dt.datetime
    stop: dt.datetime
    step: dt.timedelta


async def paper_statistics(engine: Engine, asked: ProfitRange) -> list[PaperStatistics]:
    """Of each strategy with closed trades, by name. Raises `UnreachableError`, as all questions do."""
    parameters = {"start": asked.start, "stop": asked.stop, "strategy": asked.strategy}
    async with read_session(engine) as session:
        found = await session.connection.execute(STATISTICS, parameters)
        return [PaperStatistics(**row._mapping) for row in found.all()]


async def newest_equity(engine: Engine) -> dict[str, dt.datetime | None]:
    """When each account's curve ends; None: it has no point yet."""
    async with read_session(engine) as session:
        return {row.strategy: row.newest for row in (await session.connection.execute(_NEWEST)).all()}


async def paper_equity_of(engine: Engine, span: EquitySpan) -> list[EquityAt]:
    """The curves, by strategy and time."""
    parameters = {"strategies": list(span.strategies), "start": span.start, "stop": span.stop}
    parameters["seconds"] = span.step.total_seconds()
    async with read_session(engine) as session:
        return [EquityAt(**row._mapping) for row in (await session.connection.execute(EQUITY, parameters)).all()]
