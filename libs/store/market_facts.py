"""Liquidations, slow inputs, rates and feed states into PostgreSQL: idempotent, and with their place in the timeline."""

from collections.abc import Sequence
from typing import NamedTuple

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
from libs.store.indicators import write_indicators
from libs.store.instants import instant, known_instant

_RATES = """
WITH added AS (
  INSERT INTO rate_snapshots
  SELECT symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average,
    funding_rate, next_funding_time, effective_at, basis_percent, lowest_mark_price, highest_mark_price
  FROM unnest($1::text[], $2::timestamptz[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[],
      $8::timestamptz[], $9::timestamptz[], $10::numeric[], $11::numeric[], $12::numeric[])
    AS new (symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average, funding_rate,
      next_funding_time, effective_at, basis_percent, lowest_mark_price, highest_mark_price)
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
ON CONFLICT DO NOTHING RETURNING symbol, side, trade_time
"""
# Whole windows are computed again from their events, so the result does not depend on order or repetition. Windows count from
# the epoch (UTC).
_LIQUIDATION_WINDOWS = """
INSERT INTO liquidation_agg (symbol, side, window_ms, window_start, event_count, quantity, notional, largest_notional)
SELECT touched.symbol, touched.side, touched.length, touched.start, count(*), sum(e.quantity),
  sum(e.quantity * e.average_price), max(e.quantity * e.average_price)
FROM (SELECT DISTINCT symbol, side, length, date_bin(length * interval '1 millisecond', trade_time, timestamptz 'epoch') AS start
      FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS t (symbol, side, trade_time)
      CROSS JOIN unnest($4::integer[]) AS windows (length)) AS touched
JOIN liquidation_events e ON e.symbol = touched.symbol AND e.side = touched.side
  AND e.trade_time >= touched.start AND e.trade_time < touched.start + touched.length * interval '1 millisecond'
GROUP BY touched.symbol, touched.side, touched.length, touched.start
ON CONFLICT (symbol, side, window_ms, window_start) DO UPDATE SET event_count = EXCLUDED.event_count,
  quantity = EXCLUDED.quantity, notional = EXCLUDED.notional, largest_notional = EXCLUDED.largest_notional
"""
LIQUIDATION_WINDOWS_MS = (60_000, 300_000, 3_600_000)


class Placed(NamedTuple):
    """An event, the watermark (ms) at its place in the timeline, -1 when nothing was proven there, and its offset there."""

    event: LiquidationObserved | MarketIndicatorObserved | MarkPriceObserved | FeedStatusChanged | TradeGapChanged
    effective_at_ms: int
    log_offset: int | None = None


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def write_market_facts(session: WriteSession, facts: Sequence[Placed]) -> dict[str, int]:
    """Add the facts that the tables do not have; returns rows added by table. Raises asyncpg errors."""
    indicators, liquidations, rates, states, gaps = [], [], [], [], []
    for event, at, offset in facts:
        match event:
            case MarketIndicatorObserved():
                indicators.append((event, at, offset))
            case LiquidationObserved():
                liquidations.append(_liquidation_row(event, at))
            case MarkPriceObserved():
                rates.append(_rate_row(event, at))
            case FeedStatusChanged():
                states.append((event, at))
            case TradeGapChanged():
                gaps.append(event)
    added: dict[str, int] = {}
    if indicators:
        added["market_indicators"] = await write_indicators(session, indicators)
    if rates:
        added["rate_snapshots"] = await session.raw.fetchval(_RATES, *_columns(rates))
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
        touched = _columns([tuple(row) for row in new])
        await session.raw.execute(_LIQUIDATION_WINDOWS, *touched, list(LIQUIDATION_WINDOWS_MS))
    return len(new)


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
        event.basis_percent,
        event.lowest_mark_price,
        event.highest_mark_price,
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
