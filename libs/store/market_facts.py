"""Liquidations, slow inputs, rates and feed states into PostgreSQL: idempotent, and with their place in the timeline."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from libs.contracts.market import (
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradeGapChanged,
)
from libs.store.engine import WriteSession
from libs.store.feeds import write_feed_reports
from libs.store.gaps import write_gap_changes
from libs.store.instants import instant, known_instant

_INDICATORS = """
WITH added AS (
  INSERT INTO market_indicators (event_id, symbol, kind, period, event_time, values, source, effective_at)
  SELECT event_id, symbol, kind, period, event_time, "values"::jsonb, source, effective_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::timestamptz[])
    AS new (event_id, symbol, kind, period, event_time, "values", source, effective_at)
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added
"""
_RATES = """
WITH added AS (
  INSERT INTO rate_snapshots
  SELECT symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average,
    funding_rate, next_funding_time, effective_at
  FROM unnest($1::text[], $2::timestamptz[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[],
      $8::timestamptz[], $9::timestamptz[])
    AS new (symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average, funding_rate,
      next_funding_time, effective_at)
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added
"""
_LIQUIDATIONS = """
INSERT INTO liquidation_events
SELECT event_id, symbol, side, trade_time, event_time, quantity, average_price, order_price,
  last_filled_quantity, status, effective_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::text[], $11::timestamptz[])
  AS new (event_id, symbol, side, trade_time, event_time, quantity, average_price, order_price, last_filled_quantity,
    status, effective_at)
ON CONFLICT DO NOTHING RETURNING symbol, side, date_trunc('minute', trade_time, 'UTC') AS window_start
"""
# Whole windows are computed again from their events, so the result does not depend on order or repetition.
_LIQUIDATION_WINDOWS = """
INSERT INTO liquidation_agg
SELECT touched.symbol, touched.side, touched.window_start, count(*), sum(e.quantity), sum(e.quantity * e.average_price),
  max(e.quantity * e.average_price)
FROM (SELECT DISTINCT symbol, side, window_start
      FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS t (symbol, side, window_start)) AS touched
JOIN liquidation_events e ON e.symbol = touched.symbol AND e.side = touched.side
  AND e.trade_time >= touched.window_start AND e.trade_time < touched.window_start + interval '1 minute'
GROUP BY touched.symbol, touched.side, touched.window_start
ON CONFLICT (symbol, side, window_start) DO UPDATE SET event_count = EXCLUDED.event_count,
  quantity = EXCLUDED.quantity, notional = EXCLUDED.notional, largest_notional = EXCLUDED.largest_notional
"""
_JSON = msgspec.json.Encoder(decimal_format="string")


class Placed(NamedTuple):
    """An event and the watermark (ms) at its place in the timeline, -1 when nothing was proven there."""

    event: LiquidationObserved | MarketIndicatorObserved | MarkPriceObserved | FeedStatusChanged | TradeGapChanged
    effective_at_ms: int


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def write_market_facts(session: WriteSession, facts: Sequence[Placed]) -> dict[str, int]:
    """Add the facts that the tables do not have; returns rows added by table. Raises asyncpg errors."""
    indicators, liquidations, rates, states, gaps = [], [], [], [], []
    for event, at in facts:
        match event:
            case MarketIndicatorObserved():
                indicators.append(_indicator_row(event, at))
            case LiquidationObserved():
                liquidations.append(_liquidation_row(event, at))
            case MarkPriceObserved():
                rates.append(_rate_row(event, at))
            case FeedStatusChanged():
                states.append((event, at))
            case TradeGapChanged():
                gaps.append(event)
    added: dict[str, int] = {}
    for table, statement, rows in (
        ("market_indicators", _INDICATORS, indicators),
        ("rate_snapshots", _RATES, rates),
    ):
        if rows:
            added[table] = await session.raw.fetchval(statement, *_columns(rows))
    if states:
        added["feed_status"] = await write_feed_reports(session, states)
    if gaps:
        added["market_data_gaps"] = await write_gap_changes(session, gaps)
    if liquidations:
        added["liquidation_events"] = await _write_liquidations(session, liquidations)
    return added


async def _write_liquidations(session: WriteSession, rows: Sequence[tuple[object, ...]]) -> int:
    new = await session.raw.fetch(_LIQUIDATIONS, *_columns(rows))
    if new:
        await session.raw.execute(_LIQUIDATION_WINDOWS, *_columns([tuple(row) for row in new]))
    return len(new)


def _indicator_row(event: MarketIndicatorObserved, at: int) -> tuple[object, ...]:
    values = _JSON.encode(event.values).decode()
    return (
        event.event_id,
        event.symbol,
        event.kind,
        event.period,
        instant(event.event_time_ms),
        values,
        event.source,
        known_instant(at),
    )


def _rate_row(event: MarkPriceObserved, at: int) -> tuple[object, ...]:
    return (
        event.symbol,
        instant(event.event_time_ms),
        event.mark_price,
        event.index_price,
        event.estimated_settle_price,
        event.mark_price_average,
        event.funding_rate,
        instant(event.next_funding_time_ms),
        known_instant(at),
    )


def _liquidation_row(event: LiquidationObserved, at: int) -> tuple[object, ...]:
    return (
        event.event_id,
        event.symbol,
        event.side,
        instant(event.trade_time_ms),
        instant(event.event_time_ms),
        event.quantity,
        event.average_price,
        event.order_price,
        event.last_filled_quantity,
        event.status,
        known_instant(at),
    )
