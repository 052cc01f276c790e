"""Profit of live trades by any of their sides, and the comparison of all that was booked with the venue's statement."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from libs.store.engine import Engine, read_session
from libs.store.paper_questions import ProfitRange, ProfitSide
from libs.store.statements import StatementSpan, statement_span
from libs.trading.statement import Booked

_SIDES: dict[ProfitSide, str] = {
    "day": "to_char(exit_time AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "week": "to_char(exit_time AT TIME ZONE 'UTC', 'IYYY-\"W\"IW')",
    "month": "to_char(exit_time AT TIME ZONE 'UTC', 'YYYY-MM')",
    "strategy": "CASE strategy WHEN '' THEN origin ELSE strategy END",
    "symbol": "symbol",
    "reason": "coalesce(exit_reason, 'unknown')",
}
_PROFIT = (
    "SELECT {side} AS name, count(*) AS trades, count(*) FILTER (WHERE pnl_quote > 0) AS won, sum(pnl_quote) AS net,"
    " sum(gross) AS gross, sum(fees) AS fees, sum(funding) AS funding, sum(pnl_r)::float8 AS net_r,"
    " avg(slippage_bps)::float8 AS slippage_bps, sum(fees_unvalued)::int4 AS fees_unvalued,"
    " count(*) FILTER (WHERE pnl_r IS NULL) AS without_r"
    " FROM live_trades WHERE account = :account AND state = 'closed' AND exit_time >= :start AND exit_time < :stop"
    " AND (CAST(:strategy AS text) IS NULL OR strategy = :strategy) GROUP BY 1 ORDER BY 1"
)
# A line and its fill belong together by the venue's trade id, although their times may differ; the pair counts where its line
# is, or where its fill is if there is no line. Fills that realised nothing, and fees of nothing, have no line.
_PAIRS = text("""
WITH lines AS (
  SELECT kind, symbol, CASE venue_trade_id WHEN '' THEN 'line ' || transaction_id ELSE venue_trade_id END AS venue_trade_id,
    asset, sum(amount) AS amount, min(entry_time) AS at
  FROM account_statement WHERE account = :account AND kind IN ('REALIZED_PNL', 'COMMISSION')
    AND entry_time >= CAST(:start AS timestamptz) - interval '1 day'
    AND entry_time < CAST(:stop AS timestamptz) + interval '1 day'
  GROUP BY 1, 2, 3, 4),
booked AS (
  SELECT * FROM live_fills WHERE account = :account
    AND fill_time >= CAST(:start AS timestamptz) - interval '1 day'
    AND fill_time < CAST(:stop AS timestamptz) + interval '1 day'),
fills AS (
  SELECT 'REALIZED_PNL' AS kind, symbol, venue_trade_id::text, NULL AS asset, realised AS amount, realised AS value,
    fill_time AS at, trade_id
  FROM booked
  UNION ALL
  SELECT 'COMMISSION', symbol, venue_trade_id::text, fee_asset, -fee, -fee_quote, fill_time, trade_id
  FROM booked)
SELECT coalesce(lines.at, fills.at) AS at, coalesce(lines.kind, fills.kind) AS kind,
  coalesce(lines.symbol, fills.symbol) AS symbol, coalesce(lines.asset, fills.asset, '') AS asset,
  coalesce(lines.venue_trade_id, fills.venue_trade_id) AS reference, fills.trade_id,
  lines.amount AS stated, fills.amount AS booked, fills.value
FROM lines FULL JOIN fills ON lines.kind = fills.kind AND lines.symbol = fills.symbol
  AND lines.venue_trade_id = fills.venue_trade_id AND (fills.asset IS NULL OR fills.asset = lines.asset)
WHERE coalesce(lines.at, fills.at) >= :start AND coalesce(lines.at, fills.at) < :stop
  AND (lines.amount IS NOT NULL OR fills.amount <> 0)
ORDER BY 1, 2, 3, 5
""")
_OTHERS = text("""
SELECT entry_time AS at, kind, symbol, asset, transaction_id::text AS reference, NULL AS trade_id, amount AS stated,
  NULL AS booked, NULL AS value
FROM account_statement WHERE account = :account AND kind NOT IN ('REALIZED_PNL', 'COMMISSION', 'FUNDING_FEE')
  AND entry_time >= :start AND entry_time < :stop ORDER BY 1, 2, 5
""")
# A trade keeps the sum of its funding and the ids of its lines: their sum is compared once a trade, at its last line.
_FUNDING = text("""
WITH booked AS (
  SELECT trade_id, symbol, funding, (id)::int8 AS id FROM live_trades,
    LATERAL jsonb_array_elements_text(document->'funding_ids') AS id
  WHERE account = :account AND document ? 'funding_ids'),
lines AS (
  SELECT transaction_id, symbol, asset, amount, entry_time FROM account_statement
  WHERE account = :account AND kind = 'FUNDING_FEE'),
claimed AS (
  SELECT booked.trade_id, booked.symbol, booked.funding, max(lines.entry_time) AS at, sum(lines.amount) AS stated,
    min(lines.asset) AS asset
  FROM booked JOIN lines ON lines.transaction_id = booked.id AND lines.symbol = booked.symbol GROUP BY 1, 2, 3)
SELECT at, 'FUNDING_FEE' AS kind, symbol, asset, trade_id AS reference, trade_id, stated, -funding AS booked, NULL AS value
FROM claimed WHERE at >= :start AND at < :stop
UNION ALL
SELECT entry_time, 'FUNDING_FEE', symbol, asset, transaction_id::text, NULL, amount, NULL, NULL
FROM lines WHERE entry_time >= :start AND entry_time < :stop
  AND NOT EXISTS (SELECT 1 FROM booked WHERE booked.id = lines.transaction_id AND booked.symbol = lines.symbol)
ORDER BY 1, 3, 5
""")
# What our own rule makes of a closed trade's prices against what the venue realised with its fills.
_GROSS = text("""
SELECT t.exit_time AS at, 'GROSS' AS kind, t.symbol, '' AS asset, t.trade_id AS reference, t.trade_id,
  sum(f.realised) AS stated, t.gross AS booked, NULL AS value
FROM live_trades t JOIN live_fills f ON f.account = t.account AND f.trade_id = t.trade_id
WHERE t.account = :account AND t.state = 'closed' AND t.exit_time >= :start AND t.exit_time < :stop
GROUP BY t.exit_time, t.symbol, t.trade_id, t.gross ORDER BY 1, 3, 5
""")


@dataclass(frozen=True, slots=True)
class LiveProfit:
    """Closed trades of one day, week, month, strategy, symbol or exit reason, in quote units and R; slippage is in `gross`.

    `fees_unvalued`: fills whose fee in another asset has no value yet, and is missing in `fees`. `without_r`: trades whose risk
    is not known, such as adopted ones: they are in `net` and missing in `net_r`.
    """

    name: str
    trades: int
    won: int
    net: Decimal
    gross: Decimal
    fees: Decimal
    funding: Decimal
    net_r: float | None
    slippage_bps: float | None
    fees_unvalued: int
    without_r: int


async def live_profit(engine: Engine, account: str, side: ProfitSide, asked: ProfitRange) -> list[LiveProfit]:
    """Profit of an account's closed trades by one side, in its order. Raises `UnreachableError`."""
    parameters = {"account": account, "start": asked.start, "stop": asked.stop, "strategy": asked.strategy}
    async with read_session(engine) as session:
        found = await session.connection.execute(text(_PROFIT.format(side=_SIDES[side])), parameters)
        return [LiveProfit(**row._mapping) for row in found.all()]


async def known_statement(engine: Engine, account: str) -> StatementSpan | None:
    """For which span the statement is known without a hole; None: for none. Raises `UnreachableError`."""
    async with read_session(engine) as session:
        return await statement_span(session, account)


async def booked_and_stated(engine: Engine, account: str, start: dt.datetime, stop: dt.datetime) -> list[Booked]:
    """Everything of [start, stop) that the statement says or that our books say of it, pair by pair, in one snapshot."""
    asked: dict[str, Any] = {"account": account, "start": start, "stop": stop}
    async with read_session(engine) as session:
        return [
            Booked(**row._mapping)
            for question in (_PAIRS, _FUNDING, _OTHERS, _GROSS)
            for row in (await session.connection.execute(question, asked)).all()
        ]
