"""What of the timeline is no fact of the market but decides all the same: configurations and the bars that warm a symbol."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import json

from libs.contracts.control import StrategyActivated
from libs.contracts.market import TradesBootstrapped
from libs.store.engine import WriteSession
from libs.store.instants import instant, known_instant

_ACTIVATIONS = """
INSERT INTO strategy_activations (generation, partition, log_offset, event_id, strategy, version, enabled, definition,
  activated_by, watermarks)
SELECT generation, partition, log_offset, event_id, strategy, version, enabled, definition, activated_by, watermarks::jsonb
FROM unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::text[], $6::int4[], $7::bool[], $8::text[], $9::text[],
  $10::text[]) AS new (generation, partition, log_offset, event_id, strategy, version, enabled, definition, activated_by,
  watermarks)
ON CONFLICT DO NOTHING RETURNING 1
"""
_BOOTSTRAPS = """
INSERT INTO trade_bootstraps
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int4[], $6::int4[], $7::text[],
  $8::int8[], $9::bytea[], $10::bytea[])
ON CONFLICT DO NOTHING RETURNING 1
"""


class ActivationPlace(NamedTuple):
    """A configuration in one partition of one log, and the watermark (ms) that each of its symbols had there."""

    event: StrategyActivated
    partition: int
    log_offset: int
    watermarks: Mapping[str, int]


async def write_activations(session: WriteSession, generation: str, places: Sequence[ActivationPlace]) -> int:
    """Add those that the table does not have; returns how many were new. Raises asyncpg errors."""
    rows = [
        (
            generation,
            place.partition,
            place.log_offset,
            place.event.event_id,
            place.event.strategy,
            place.event.version,
            place.event.enabled,
            bytes(place.event.definition).decode(),
            place.event.activated_by,
            json.encode(dict(sorted(place.watermarks.items()))).decode(),
        )
        for place in places
    ]
    return await _add(session, _ACTIVATIONS, rows)


async def write_bootstraps(session: WriteSession, bars: Sequence[tuple[TradesBootstrapped, int]]) -> int:
    """Add bars with the watermark (ms) at their place; returns how many were new. Raises asyncpg errors."""
    rows = [
        (
            event.event_id,
            event.symbol,
            instant(event.event_time_ms),
            known_instant(at),
            event.price_decimals,
            event.quantity_decimals,
            event.producer,
            event.epoch,
            event.minute_bars,
            event.candle_bars,
        )
        for event, at in bars
    ]
    return await _add(session, _BOOTSTRAPS, rows)


async def _add(session: WriteSession, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
    if not rows:
        return 0
    return len(await session.raw.fetch(statement, *map(list, zip(*rows, strict=True))))
