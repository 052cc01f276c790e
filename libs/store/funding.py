"""Settled funding rates: those that were seen live and those of imported archives, as one history."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from sqlalchemy import text

from libs.store.engine import ReadSession
from libs.store.instants import instant, milliseconds

# An archive tells a settlement to the millisecond, the live feed to the second: one a minute is one. What was seen live counts.
_SETTLED = """
SELECT DISTINCT ON (symbol, date_bin(interval '1 minute', at, timestamptz 'epoch')) symbol, at, rate FROM (
  SELECT symbol, event_time AS at, funding_rate AS rate, 0 AS rank FROM market_indicators
  WHERE symbol = ANY(:symbols) AND kind = 'funding_rate' AND event_time >= :start AND event_time < :end
    AND funding_rate IS NOT NULL
  UNION ALL
  SELECT symbol, funding_time, funding_rate, 1 FROM funding_rates
  WHERE symbol = ANY(:symbols) AND funding_time >= :start AND funding_time < :end) AS told
ORDER BY symbol, date_bin(interval '1 minute', at, timestamptz 'epoch'), rank, at
"""
FUNDING_HISTORY = text(f"SELECT * FROM ({_SETTLED}) AS settled ORDER BY at, symbol")  # noqa: S608 - a constant of this file
FUNDING_SUMS = text(
    "SELECT symbol, count(*) AS settlements, sum(rate) AS total, avg(rate) AS mean, min(rate) AS lowest, max(rate) AS highest,"  # noqa: S608
    " count(*) FILTER (WHERE rate > 0) AS positive, min(at) AS first_at, max(at) AS last_at,"
    " (array_agg(rate ORDER BY at DESC))[1] AS latest"
    f" FROM ({_SETTLED}) AS settled GROUP BY symbol ORDER BY symbol"
)
_YEAR_MS = 365 * 24 * 3_600_000
_USUAL_INTERVAL_MS = 8 * 3_600_000
_TWELVE_DIGITS = Context(prec=12)


@dataclass(frozen=True, slots=True)
class FundingSpan:
    """Settlements of `symbols` with `start_ms <= time < end_ms`."""

    symbols: Sequence[str]
    start_ms: int
    end_ms: int

    @property
    def parameters(self) -> dict[str, object]:
        return {"symbols": list(self.symbols), "start": instant(self.start_ms), "end": instant(self.end_ms)}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What longs paid shorts at one settlement, as a share of the notional."""

    symbol: str
    time_ms: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class FundingSums:
    """The settlements of a span; rates are shares of the notional, above 0: longs paid. Times in ms."""

    symbol: str
    settlements: int
    total: Decimal
    mean: Decimal
    lowest: Decimal
    highest: Decimal
    positive: int
    first_ms: int
    last_ms: int
    latest: Decimal

    @property
    def interval_ms(self) -> int:
        """The mean time between settlements; 8 hours where there is but one."""
        return (self.last_ms - self.first_ms) // (self.settlements - 1) if self.settlements > 1 else _USUAL_INTERVAL_MS

    @property
    def annualised(self) -> Decimal:
        """The mean rate times the settlements of 365 days, not compounded."""
        return _TWELVE_DIGITS.divide(self.mean * _YEAR_MS, Decimal(self.interval_ms))


async def funding_history(session: ReadSession, span: FundingSpan) -> list[Settlement]:
    """Every settlement, oldest first."""
    rows = await session.connection.execute(FUNDING_HISTORY, span.parameters)
    return [Settlement(row.symbol, milliseconds(row.at), row.rate) for row in rows]


async def funding_sums(session: ReadSession, span: FundingSpan) -> list[FundingSums]:
    """The sums of each symbol that was settled in the span, by name."""
    rows = await session.connection.execute(FUNDING_SUMS, span.parameters)
    return [
        FundingSums(
            row.symbol,
            row.settlements,
            row.total,
            _TWELVE_DIGITS.plus(row.mean),
            row.lowest,
            row.highest,
            row.positive,
            milliseconds(row.first_at),
            milliseconds(row.last_at),
            row.latest,
        )
        for row in rows
    ]
