"""Questions, each named by what it answers. They take a `ReadSession`, so none of them can change anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from libs.store.engine import ReadSession
from libs.store.instants import LATEST_INSTANT_MS, instant, milliseconds

_LATEST_RATES = text("""
SELECT latest.* FROM unnest(CAST(:symbols AS text[])) AS wanted (symbol)
CROSS JOIN LATERAL (SELECT * FROM rate_snapshots r WHERE r.symbol = wanted.symbol AND r.event_time <= :until
  ORDER BY event_time DESC LIMIT 1) latest
""")
_TRADES_HELD = text("SELECT * FROM agg_trades_meta ORDER BY symbol")
_LAST_TRADE = text("SELECT last_time FROM agg_trades_meta WHERE symbol = :symbol")
# One step of the index a strategy, then one a strategy and symbol.
LATEST_SIGNALS = text("""
WITH RECURSIVE known AS (
  SELECT min(strategy) AS strategy FROM signal_logs
  UNION ALL SELECT (SELECT min(strategy) FROM signal_logs WHERE strategy > known.strategy) FROM known
  WHERE known.strategy IS NOT NULL)
SELECT latest.* FROM known CROSS JOIN unnest(CAST(:symbols AS text[])) AS wanted (symbol)
CROSS JOIN LATERAL (
  SELECT event_id, strategy, version, symbol, event_time, score, threshold, direction, state, reason, sentence, price, atr,
    take_profit_1, take_profit_2, stop_loss, hold_until, content
  FROM signal_logs s WHERE s.strategy = known.strategy AND s.symbol = wanted.symbol
  ORDER BY event_time DESC, event_id DESC LIMIT 1) AS latest
WHERE known.strategy IS NOT NULL ORDER BY latest.event_time DESC, latest.event_id DESC
""")
SIGNALS = """
SELECT event_id, strategy, version, symbol, event_time, score, threshold, direction, state, reason, sentence, price, atr,
  take_profit_1, take_profit_2, stop_loss, hold_until, content
FROM signal_logs {where} ORDER BY event_time DESC, event_id DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """A symbol's newest stored mark price and funding estimate; times in ms."""

    symbol: str
    event_time_ms: int
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal | None
    next_funding_time_ms: int


@dataclass(frozen=True, slots=True)
class TradesHeld:
    """What agg_trades holds of a symbol; ids and times (ms) are None before its first row."""

    symbol: str
    first_id: int | None
    last_id: int | None
    row_count: int
    first_time_ms: int | None
    last_time_ms: int | None
    missing_count: int
    late_count: int
    conflict_count: int


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals; None filters nothing. `before` continues a page: (event time ms, event id) of its last row."""

    symbol: str | None = None
    strategy: str | None = None
    state: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    before: tuple[int, str] | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class LoggedSignal:
    """A scored signal as it was logged; `content` is all of the event."""

    event_id: str
    strategy: str
    version: int
    symbol: str
    event_time_ms: int
    score: float
    threshold: float
    direction: str
    state: str
    reason: str | None
    sentence: str
    price: Decimal
    atr: Decimal | None
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    stop_loss: Decimal | None
    hold_until_ms: int | None
    content: dict[str, Any]


async def latest_rates(
    session: ReadSession, symbols: Sequence[str], until_ms: int = LATEST_INSTANT_MS
) -> dict[str, Rate]:
    """The newest stored rate by symbol of those up to `until_ms`; symbols without one are left out."""
    until = instant(min(until_ms, LATEST_INSTANT_MS))
    rows = await session.connection.execute(_LATEST_RATES, {"symbols": list(symbols), "until": until})
    return {
        row.symbol: Rate(
            row.symbol,
            milliseconds(row.event_time),
            row.mark_price,
            row.index_price,
            row.funding_rate,
            milliseconds(row.next_funding_time),
        )
        for row in rows
    }


async def trades_held(session: ReadSession) -> list[TradesHeld]:
    """What the trades table holds, by symbol."""
    rows = await session.connection.execute(_TRADES_HELD)
    return [
        TradesHeld(
            row.symbol,
            row.first_id,
            row.last_id,
            row.row_count,
            None if row.first_time is None else milliseconds(row.first_time),
            None if row.last_time is None else milliseconds(row.last_time),
            row.missing_count,
            row.late_count,
            row.conflict_count,
        )
        for row in rows
    ]


async def last_trade_time(session: ReadSession, symbol: str) -> int | None:
    """The venue time (ms) of the newest trade of a symbol, or None when there is none."""
    found = (await session.connection.execute(_LAST_TRADE, {"symbol": symbol})).scalar_one_or_none()
    return None if found is None else milliseconds(found)


def signal_statement(wanted: SignalFilter) -> tuple[str, dict[str, object]]:
    """The statement and its parameters; conditions that filter nothing are left out, so that the right index is used."""
    parameters: dict[str, object] = {"most": wanted.most}
    conditions = []
    for column, value in (("symbol", wanted.symbol), ("strategy", wanted.strategy), ("state", wanted.state)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            parameters[column] = value
    if wanted.start_ms is not None:
        conditions.append("event_time >= :start")
        parameters["start"] = instant(wanted.start_ms)
    if wanted.end_ms is not None:
        conditions.append("event_time < :end")
        parameters["end"] = instant(wanted.end_ms)
    if wanted.before is not None:
        conditions.append("(event_time, event_id) < (:before_time, :before_id)")
        parameters["before_time"], parameters["before_id"] = instant(wanted.before[0]), wanted.before[1]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return SIGNALS.format(where=where), parameters


async def signal_history(session: ReadSession, wanted: SignalFilter) -> list[LoggedSignal]:
    """Scored signals, newest first."""
    statement, parameters = signal_statement(wanted)
    return [_signal(row) for row in await session.connection.execute(text(statement), parameters)]


async def latest_signals(session: ReadSession, symbols: Sequence[str]) -> list[LoggedSignal]:
    """The newest signal of each strategy and each of these symbols, newest first."""
    return [_signal(row) for row in await session.connection.execute(LATEST_SIGNALS, {"symbols": list(symbols)})]


def _signal(row: Row[Any]) -> LoggedSignal:
    return LoggedSignal(
        row.event_id,
        row.strategy,
        row.version,
        row.symbol,
        milliseconds(row.event_time),
        row.score,
        row.threshold,
        row.direction,
        row.state,
        row.reason,
        row.sentence,
        row.price,
        row.atr,
        row.take_profit_1,
        row.take_profit_2,
        row.stop_loss,
        None if row.hold_until is None else milliseconds(row.hold_until),
        row.content,
    )
