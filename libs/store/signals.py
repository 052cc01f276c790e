"""Feature rows and scored signals into PostgreSQL; the same id with other content is reported: replays must agree."""

from collections.abc import Sequence
from typing import NamedTuple

from libs.contracts.signals import IndicatorComputed, SignalScored, WindowFeatures
from libs.store.engine import RawConnection, WriteSession
from libs.store.instants import instant, known_instant
from libs.store.trades import Conflict

_INDICATORS = """
INSERT INTO signal_indicators
SELECT symbol, event_time, event_id, interval_ms,
  effective_at, price, cvd_5m, cvd_30m, cvd_4h, vwap_5m,
  vwap_30m, vwap_4h, coverage_5m, coverage_30m, coverage_4h, large_p95, large_p99, size_coverage, atr, atr_percentile,
  last_agg_id, trades_late, trades_missing, content::jsonb
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::int4[], $5::timestamptz[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::float8[], $14::float8[], $15::float8[],
    $16::numeric[], $17::numeric[], $18::float8[], $19::numeric[], $20::float8[], $21::int8[], $22::int8[],
    $23::int8[], $24::text[])
  AS new (symbol, event_time, event_id, interval_ms, effective_at, price, cvd_5m, cvd_30m, cvd_4h, vwap_5m, vwap_30m,
    vwap_4h, coverage_5m, coverage_30m, coverage_4h, large_p95, large_p99, size_coverage, atr, atr_percentile,
    last_agg_id, trades_late, trades_missing, content)
ON CONFLICT DO NOTHING RETURNING event_id
"""
_DIFFERENT_INDICATORS = """
SELECT kept.event_id FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS new (symbol, event_time, content)
JOIN signal_indicators kept ON kept.symbol = new.symbol
  AND kept.event_time = new.event_time
WHERE kept.content <> new.content::jsonb
"""
_SIGNALS = """
INSERT INTO signal_logs
SELECT event_id, strategy, version, symbol, event_time, score, threshold, direction, state, reason,
  sentence, price, atr, take_profit_1, take_profit_2, stop_loss, hold_until, content::jsonb
FROM unnest($1::text[], $2::text[], $3::int4[], $4::text[], $5::timestamptz[], $6::float8[], $7::float8[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[],
    $16::numeric[], $17::timestamptz[], $18::text[])
  AS new (event_id, strategy, version, symbol, event_time, score, threshold, direction, state, reason, sentence, price,
    atr, take_profit_1, take_profit_2, stop_loss, hold_until, content)
ON CONFLICT DO NOTHING RETURNING event_id
"""
_DIFFERENT_SIGNALS = """
SELECT new.event_id FROM unnest($1::text[], $2::text[]) AS new (event_id, content)
JOIN signal_logs kept USING (event_id) WHERE kept.content <> new.content::jsonb
"""


class Stored(NamedTuple):
    """An event with its JSON as it stood on the topic: the table keeps all of it, fields this version does not know included."""

    event: IndicatorComputed | SignalScored
    content: bytes


class SignalsWritten(NamedTuple):
    """Rows added by table, and ids whose content differs from what the table holds."""

    added: dict[str, int]
    conflicts: list[Conflict]


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def write_signals(session: WriteSession, events: Sequence[Stored]) -> SignalsWritten:
    """Add the rows that the tables do not have. The first content of an id stays; others are reported as conflicts."""
    indicators = [_indicator_row(event, raw) for event, raw in events if isinstance(event, IndicatorComputed)]
    signals = [_signal_row(event, raw) for event, raw in events if isinstance(event, SignalScored)]
    written = SignalsWritten({}, [])
    if indicators:
        added = await session.raw.fetch(_INDICATORS, *_columns(indicators))
        written.added["signal_indicators"] = len(added)
        if len(added) < len(indicators):
            keys = _columns([(row[0], row[1], row[-1]) for row in indicators])
            await _report(session.raw, "signal_indicators", _DIFFERENT_INDICATORS, keys, written)
    if signals:
        added = await session.raw.fetch(_SIGNALS, *_columns(signals))
        written.added["signal_logs"] = len(added)
        if len(added) < len(signals):
            keys = _columns([(row[0], row[-1]) for row in signals])
            await _report(session.raw, "signal_logs", _DIFFERENT_SIGNALS, keys, written)
    return written


async def _report(
    raw: RawConnection, table: str, statement: str, keys: list[list[object]], written: SignalsWritten
) -> None:
    rows = await raw.fetch(statement, *keys)
    written.conflicts.extend(Conflict(table, row["event_id"]) for row in rows)


def _indicator_row(event: IndicatorComputed, content: bytes) -> tuple[object, ...]:
    windows: dict[str, WindowFeatures] = {window.window: window for window in event.windows}
    ordered = [windows.get(name) for name in ("5m", "30m", "4h")]
    return (
        event.symbol,
        instant(event.event_time_ms),
        event.event_id,
        event.interval_ms,
        known_instant(event.effective_at_ms),
        event.price,
        *(None if window is None else window.cvd for window in ordered),
        *(None if window is None else window.vwap for window in ordered),
        *(None if window is None else window.coverage for window in ordered),
        event.large_p95,
        event.large_p99,
        event.size_coverage,
        event.atr,
        event.atr_percentile,
        event.last_agg_id,
        event.trades_late,
        event.trades_missing,
        content.decode(),
    )


def _signal_row(event: SignalScored, content: bytes) -> tuple[object, ...]:
    return (
        event.event_id,
        event.strategy,
        event.version,
        event.symbol,
        instant(event.event_time_ms),
        event.score,
        event.threshold,
        event.direction,
        event.state,
        event.reason,
        event.sentence,
        event.price,
        event.atr,
        event.take_profit_1,
        event.take_profit_2,
        event.stop_loss,
        known_instant(event.hold_until_ms),
        content.decode(),
    )
