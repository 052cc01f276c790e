"""Feature rows and scored signals into PostgreSQL; the same id with other content is kept aside: replays must agree."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import json

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
_SET_ASIDE = """
WITH other AS (
  SELECT DISTINCT ON (new.event_id, md5(new.content::jsonb::text))
    new.event_id, md5(new.content::jsonb::text) AS content_md5, new.symbol, new.event_time,
    new.content::jsonb AS content, new.log_place, kept.content AS kept
  FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
    AS new (event_id, symbol, event_time, content, log_place)
  JOIN {table} kept ON {same_key}
  WHERE kept.content <> new.content::jsonb),
aside AS (
  INSERT INTO signal_conflicts (table_name, event_id, content_md5, symbol, event_time, content, log_place)
  SELECT $1, event_id, content_md5, symbol, event_time, content, log_place FROM other
  ON CONFLICT DO NOTHING RETURNING event_id, content_md5)
SELECT event_id, kept::text, content::text FROM other JOIN aside USING (event_id, content_md5) ORDER BY event_id
"""
_ASIDE_OF = {
    "signal_indicators": _SET_ASIDE.format(
        table="signal_indicators", same_key="kept.symbol = new.symbol AND kept.event_time = new.event_time"
    ),
    "signal_logs": _SET_ASIDE.format(table="signal_logs", same_key="kept.event_id = new.event_id"),
}
# What may differ between two runs of one market: it follows from what else had arrived by then.
_OF_ITS_RUN = ("slow_inputs", "scores", "effective_at_ms")
_OF_ITS_PAST = ("state", "reason", "sentence", "hold_until_ms")
_OF_ITS_INPUTS = (
    *_OF_ITS_PAST, "score", "ungated_score", "direction", "contributions", "take_profit_1", "take_profit_2", "stop_loss", "inputs"
)  # fmt: skip
_FEATURES = ("price", "atr", "cvd_", "volume_", "vwap_", "large_")


class Stored(NamedTuple):
    """An event with its JSON as it stood on the topic: the table keeps all of it, fields this version does not know included.

    `place` is where it stands in the log, as "topic:partition:offset".
    """

    event: IndicatorComputed | SignalScored
    content: bytes
    place: str


class SignalsWritten(NamedTuple):
    """Rows added by table, and ids whose content differs from what the table holds, set aside now for the first time."""

    added: dict[str, int]
    conflicts: list[Conflict]


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def write_signals(session: WriteSession, events: Sequence[Stored]) -> SignalsWritten:
    """Add the rows that the tables do not have. The first content of an id stays, others go to `signal_conflicts` once."""
    indicators = [
        _indicator_row(item.event, item.content) for item in events if isinstance(item.event, IndicatorComputed)
    ]
    signals = [_signal_row(item.event, item.content) for item in events if isinstance(item.event, SignalScored)]
    written = SignalsWritten({}, [])
    if indicators:
        added = await session.raw.fetch(_INDICATORS, *_columns(indicators))
        written.added["signal_indicators"] = len(added)
        if len(added) < len(indicators):
            same_kind = [item for item in events if isinstance(item.event, IndicatorComputed)]
            written.conflicts.extend(await _set_aside(session.raw, "signal_indicators", same_kind))
    if signals:
        added = await session.raw.fetch(_SIGNALS, *_columns(signals))
        written.added["signal_logs"] = len(added)
        if len(added) < len(signals):
            same_kind = [item for item in events if isinstance(item.event, SignalScored)]
            written.conflicts.extend(await _set_aside(session.raw, "signal_logs", same_kind))
    return written


async def _set_aside(raw: RawConnection, table: str, events: Sequence[Stored]) -> list[Conflict]:
    rows = _columns(
        [
            (
                item.event.event_id,
                item.event.symbol,
                instant(item.event.event_time_ms),
                item.content.decode(),
                item.place,
            )
            for item in events
        ]
    )
    found = await raw.fetch(_ASIDE_OF[table], table, *rows)
    return [Conflict(table, row["event_id"], expected=_expected(table, row["kept"], row["content"])) for row in found]


def _expected(table: str, kept: str, other: str) -> bool:
    """Whether two contents of one id differ only in what is a matter of each run's timeline: the features are the same.

    Which slow inputs had arrived by an evaluation, and what followed from that, differs when a recording is played again. A
    signal whose inputs are the same may still be refused for what was emitted before it; its score must be the same.
    """
    ours, theirs = json.decode(kept), json.decode(other)
    if table == "signal_indicators":
        return _without(ours, _OF_ITS_RUN) == _without(theirs, _OF_ITS_RUN)
    if ours.get("inputs") == theirs.get("inputs"):
        return _without(ours, _OF_ITS_PAST) == _without(theirs, _OF_ITS_PAST)
    same_features = _features(ours["inputs"]) == _features(theirs["inputs"])
    return same_features and _without(ours, _OF_ITS_INPUTS) == _without(theirs, _OF_ITS_INPUTS)


def _without(content: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in content.items() if name not in names}


def _features(inputs: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in inputs.items() if name.startswith(_FEATURES)}


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
