"""The health of feeds into PostgreSQL: changes of state as history, and the last figures of each feed and symbol."""

from collections.abc import Sequence

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, FeedStatusChanged
from libs.store.engine import WriteSession
from libs.store.instants import instant, known_instant

_STATES = """
WITH added AS (
  INSERT INTO feed_status
  SELECT event_id, feed, symbol, state, detail, event_time,
    last_event_time, effective_at, told_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::timestamptz[])
    AS new (event_id, feed, symbol, state, detail, event_time, last_event_time, effective_at, told_at)
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT count(*) FROM added
"""
# Reports come in the order of the log. One that lies far behind the known one is no late one: either that was absurd, and would
# be the newest for ever, or the log is read again, and the rest of it follows.
_HEALTH = """
INSERT INTO feed_health AS kept
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::timestamptz[],
  $8::float8[], $9::float8[], $10::float8[], $11::int8[], $12::int8[], $13::int4[], $14::int4[])
ON CONFLICT (feed, symbol) DO UPDATE SET (state, since, detail, event_time, last_event_time, events_per_second, delay_ms,
  clock_offset_ms, gaps_open, gaps_filled, completeness_1h_ppm, completeness_24h_ppm)
  = (EXCLUDED.state, EXCLUDED.since, EXCLUDED.detail, EXCLUDED.event_time, EXCLUDED.last_event_time,
     EXCLUDED.events_per_second, EXCLUDED.delay_ms, EXCLUDED.clock_offset_ms, EXCLUDED.gaps_open, EXCLUDED.gaps_filled,
     EXCLUDED.completeness_1h_ppm, EXCLUDED.completeness_24h_ppm)
WHERE EXCLUDED.event_time >= kept.event_time OR EXCLUDED.event_time < kept.event_time - interval '1 hour'
"""


async def write_feed_reports(session: WriteSession, reports: Sequence[tuple[FeedStatusChanged, int]]) -> int:
    """Reports with the watermark (ms) at their place in the timeline, in log order; returns how many changes of state were new.

    A report that only repeats a state adds no row of history. Raises asyncpg errors.
    """
    states = [_state_row(event, at) for event, at in reports]
    added: int = await session.raw.fetchval(_STATES, *_columns(states))
    newest: dict[tuple[str, str], FeedStatusChanged] = {}
    for event, _ in reports:
        known = newest.get((event.feed, event.symbol))
        if known is None or event.event_time_ms >= known.event_time_ms:
            newest[event.feed, event.symbol] = event
    await session.raw.execute(_HEALTH, *_columns([_health_row(event) for event in newest.values()]))
    return added


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _state_row(event: FeedStatusChanged, at: int) -> tuple[object, ...]:
    """A state is one row from when it began, however often it is told."""
    begun = event.since_ms if event.since_ms != UNKNOWN_TIME else event.event_time_ms
    return (
        digest("feed_state", event.feed, event.symbol, event.state, begun),
        event.feed,
        event.symbol,
        event.state,
        event.detail,
        instant(begun),
        known_instant(event.last_event_time_ms),
        known_instant(at),
        instant(event.event_time_ms),
    )


def _health_row(event: FeedStatusChanged) -> tuple[object, ...]:
    return (
        event.feed,
        event.symbol,
        event.state,
        known_instant(event.since_ms),
        event.detail,
        instant(event.event_time_ms),
        known_instant(event.last_event_time_ms),
        event.events_per_second,
        event.delay_ms,
        event.clock_offset_ms,
        event.gaps_open,
        event.gaps_filled,
        event.completeness_1h_ppm,
        event.completeness_24h_ppm,
    )
