"""What was liquidated per window: a question to the table that `market_facts` keeps."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from libs.store.engine import ReadSession
from libs.store.instants import LATEST_INSTANT_MS, instant, milliseconds

# Named sides, so that the primary key's order serves the question.
LIQUIDATIONS = text("""
SELECT window_start, coalesce(sum(event_count) FILTER (WHERE side = 'SELL'), 0) AS long_count,
  coalesce(sum(quantity) FILTER (WHERE side = 'SELL'), 0) AS long_quantity,
  coalesce(sum(notional) FILTER (WHERE side = 'SELL'), 0) AS long_notional,
  coalesce(sum(event_count) FILTER (WHERE side = 'BUY'), 0) AS short_count,
  coalesce(sum(quantity) FILTER (WHERE side = 'BUY'), 0) AS short_quantity,
  coalesce(sum(notional) FILTER (WHERE side = 'BUY'), 0) AS short_notional
FROM liquidation_agg
WHERE symbol = :symbol AND side IN ('BUY', 'SELL') AND window_ms = :window_ms
  AND window_start >= :start AND window_start < :end
GROUP BY window_start ORDER BY window_start DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class LiquidationSpan:
    """Which windows: of `symbol`, `window_ms` long, with `start_ms <= start < end_ms`; the newest `most` of them."""

    symbol: str
    window_ms: int
    most: int
    start_ms: int = 0
    end_ms: int = LATEST_INSTANT_MS


@dataclass(frozen=True, slots=True)
class LiquidatedInWindow:
    """A window that had forced orders; every number is a lower bound, since the venue samples. Quantities in base units, notional
    (quantity × average price) in quote units."""

    open_time_ms: int
    long_count: int
    long_quantity: Decimal
    long_notional: Decimal
    short_count: int
    short_quantity: Decimal
    short_notional: Decimal


async def liquidated(session: ReadSession, span: LiquidationSpan) -> list[LiquidatedInWindow]:
    """Windows with forced orders, oldest first; the others are left out."""
    parameters = {
        "symbol": span.symbol,
        "window_ms": span.window_ms,
        "start": instant(span.start_ms),
        "end": instant(span.end_ms),
        "most": span.most,
    }
    rows = (await session.connection.execute(LIQUIDATIONS, parameters)).all()
    return [LiquidatedInWindow(milliseconds(row.window_start), *row[1:]) for row in reversed(rows)]
