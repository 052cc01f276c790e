"""Slow inputs into PostgreSQL: one row a fact, its known values in columns of their own, the venue's payload beside them."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from libs.contracts.market import MarketIndicatorObserved
from libs.contracts.plausible import LATEST_MS
from libs.store.engine import WriteSession
from libs.store.instants import instant, known_instant
from libs.store.tables import INDICATOR_INSTANTS, INDICATOR_NUMBERS

_COLUMNS: tuple[tuple[str, str], ...] = (
    ("event_id", "text"),
    ("symbol", "text"),
    ("kind", "text"),
    ("period", "text"),
    ("event_time", "timestamptz"),
    ("values", "jsonb"),
    ("source", "text"),
    ("effective_at", "timestamptz"),
    ("available_at", "timestamptz"),
    ("availability_assumed", "boolean"),
    ("raw", "jsonb"),
    ("log_offset", "int8"),
    *((name, "numeric") for name in INDICATOR_NUMBERS),
    *((name, "timestamptz") for name in INDICATOR_INSTANTS),
)


def _statement() -> str:
    names = ", ".join(f'"{name}"' for name, _ in _COLUMNS)
    # An array of jsonb has no codec: text, and a cast.
    arrays = ", ".join(
        f"${place}::{'text' if kind == 'jsonb' else kind}[]" for place, (_, kind) in enumerate(_COLUMNS, start=1)
    )
    chosen = ", ".join(f'"{name}"::{kind}' for name, kind in _COLUMNS)
    return (
        f"WITH added AS (INSERT INTO market_indicators ({names})"  # noqa: S608 - our own column names
        f" SELECT {chosen} FROM unnest({arrays}) AS new ({names})"
        " ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM added"
    )


_ADD = _statement()
_JSON = msgspec.json.Encoder(decimal_format="string")


async def write_indicators(
    session: WriteSession, facts: Sequence[tuple[MarketIndicatorObserved, int, int | None]]
) -> int:
    """Add the facts that the table does not have, each with the watermark (ms) at its place and its offset in the log, which
    orders those of one place (None: it is not known); returns rows added."""
    rows = [_row(event, at, offset) for event, at, offset in facts]
    return int(await session.raw.fetchval(_ADD, *(list(column) for column in zip(*rows, strict=True))))


def _row(event: MarketIndicatorObserved, at: int, offset: int | None) -> tuple[object, ...]:
    return (
        event.event_id,
        event.symbol,
        event.kind,
        event.period,
        instant(event.event_time_ms),
        _JSON.encode(event.values).decode(),
        event.source,
        known_instant(at),
        known_instant(event.available_ms),
        event.availability_assumed,
        None if event.raw is None else _JSON.encode(event.raw).decode(),
        offset,
        *(event.values.get(name) for name in INDICATOR_NUMBERS),
        *_instants(event.values),
    )


def _instants(values: Mapping[str, Decimal]) -> Iterator[object]:
    """Of a number that is no instant, the row says nothing; it stands in `values` as it came."""
    for name in INDICATOR_INSTANTS:
        found = values.get(f"{name}_ms")
        yield instant(int(found)) if found is not None and 0 <= found < LATEST_MS else None
