"""Imported history: where each file stands, its holes, and the bars and funding rates that only archives bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from libs.contracts.market import Hole
from libs.store.engine import Engine, WriteSession, write_session
from libs.store.instants import instant
from libs.store.trades import count_missing, lock_symbols

_BEGIN = """
INSERT INTO data_imports (sha256, symbol, kind, file_name) VALUES ($1, $2, $3, $4)
ON CONFLICT (sha256, symbol, kind) DO UPDATE SET file_name = EXCLUDED.file_name
RETURNING lines_done, last_id, last_time_ms, finished_at IS NOT NULL AS finished
"""
_ADVANCE = """
UPDATE data_imports SET lines_done = $4, last_id = $5, last_time_ms = $6, rows_added = rows_added + $7,
  updated_at = now() WHERE sha256 = $1 AND symbol = $2 AND kind = $3
"""
_FINISH = "UPDATE data_imports SET finished_at = now() WHERE sha256 = $1 AND symbol = $2 AND kind = $3"
# A hole whose ids the table holds from elsewhere is none.
_INSERT_GAPS = """
WITH new AS (
  SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::timestamptz[], $5::timestamptz[], $6::text[])
    AS t (symbol, first_id, last_id, from_time, to_time, cause)),
counted AS (
  SELECT new.*, last_id - first_id + 1 - (SELECT count(DISTINCT k.agg_id) FROM agg_trades k
    WHERE k.symbol = new.symbol AND k.agg_id BETWEEN new.first_id AND new.last_id) AS unfilled FROM new)
INSERT INTO market_data_gaps (symbol, first_missing_id, last_missing_id, from_time, to_time, cause, outcome, found_at, closed_at,
  unfilled_count, in_band)
SELECT symbol, first_id, last_id, from_time, to_time, cause, 'lost', to_time, to_time, unfilled, false
FROM counted WHERE unfilled > 0 ON CONFLICT DO NOTHING RETURNING 1
"""
_KLINES = """
WITH new AS (
  SELECT $1::text AS symbol, $2::text AS interval, * FROM unnest($3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
    $7::numeric[], $8::numeric[], $9::numeric[], $10::int8[], $11::numeric[], $12::numeric[])
    AS t (open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume)),
added AS (INSERT INTO klines SELECT * FROM new ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM new JOIN klines k USING (symbol, interval, open_time)
  WHERE (k.open, k.high, k.low, k.close, k.volume) IS DISTINCT FROM (new.open, new.high, new.low, new.close, new.volume)
    OR (k.quote_volume <> new.quote_volume) OR (k.trade_count <> new.trade_count)
    OR (k.taker_buy_volume <> new.taker_buy_volume) OR (k.taker_buy_quote_volume <> new.taker_buy_quote_volume)) AS conflicts
"""
_FUNDING = """
WITH new AS (
  SELECT $1::text AS symbol, * FROM unnest($2::timestamptz[], $3::numeric[], $4::int4[])
    AS t (funding_time, funding_rate, interval_hours)),
added AS (INSERT INTO funding_rates SELECT * FROM new ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM new JOIN funding_rates k USING (symbol, funding_time)
  WHERE k.funding_rate <> new.funding_rate) AS conflicts
"""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """Which content (not which name) is imported as what."""

    sha256: str
    symbol: str
    kind: str
    file_name: str


@dataclass(frozen=True, slots=True)
class ImportPlace:
    """How far a file has come: lines, and the last id and time (ms) of them (-1: none yet)."""

    lines_done: int
    last_id: int
    last_time_ms: int
    finished: bool = False


async def begin_import(engine: Engine, file: ImportedFile) -> ImportPlace:
    """Where an import of this content goes on; a new one begins at line 0."""
    async with write_session(engine) as session:
        row = await session.raw.fetchrow(_BEGIN, file.sha256, file.symbol, file.kind, file.file_name)
        assert row is not None
        return ImportPlace(row["lines_done"], row["last_id"], row["last_time_ms"], row["finished"])


async def advance_import(session: WriteSession, file: ImportedFile, place: ImportPlace, added: int) -> None:
    """Move the place, in the transaction of the rows."""
    key = (file.sha256, file.symbol, file.kind)
    await session.raw.execute(_ADVANCE, *key, place.lines_done, place.last_id, place.last_time_ms, added)
    if place.finished:
        await session.raw.execute(_FINISH, *key)


async def write_archive_gaps(session: WriteSession, holes: Sequence[Hole]) -> int:
    """Record ids that an archive does not have as lost, not in band, unless the table has them; returns how many rows."""
    if not holes:
        return 0
    rows = [
        (
            hole.symbol,
            hole.first_missing_id,
            hole.last_missing_id,
            instant(hole.from_ms),
            instant(hole.to_ms),
            hole.cause,
        )
        for hole in holes
    ]
    symbols = sorted({hole.symbol for hole in holes})
    await lock_symbols(session, symbols)
    new = await session.raw.fetch(_INSERT_GAPS, *map(list, zip(*rows, strict=True)))
    await count_missing(session, symbols)
    return len(new)


@dataclass(frozen=True, slots=True)
class Bar:
    """One kline; None where the source has no such column."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None = None
    trade_count: int | None = None
    taker_buy_volume: Decimal | None = None
    taker_buy_quote_volume: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FundingRate:
    """One settled rate; `interval_hours` between settlements, where the source says so."""

    funding_time_ms: int
    funding_rate: Decimal
    interval_hours: int | None = None


async def write_klines(session: WriteSession, symbol: str, interval: str, bars: Sequence[Bar]) -> tuple[int, int]:
    """Add the bars that the table does not have; returns (added, bars that are known with other content)."""
    if not bars:
        return 0, 0
    rows = [
        (
            instant(bar.open_time_ms),
            *(bar.open, bar.high, bar.low, bar.close, bar.volume),
            *(bar.quote_volume, bar.trade_count, bar.taker_buy_volume, bar.taker_buy_quote_volume),
        )
        for bar in bars
    ]
    row = await session.raw.fetchrow(_KLINES, symbol, interval, *map(list, zip(*rows, strict=True)))
    assert row is not None
    return row["added"], row["conflicts"]


async def write_funding_rates(session: WriteSession, symbol: str, rates: Sequence[FundingRate]) -> tuple[int, int]:
    """Add the rates that the table does not have; returns (added, rates that are known with other content)."""
    if not rates:
        return 0, 0
    rows = [(instant(rate.funding_time_ms), rate.funding_rate, rate.interval_hours) for rate in rates]
    row = await session.raw.fetchrow(_FUNDING, symbol, *map(list, zip(*rows, strict=True)))
    assert row is not None
    return row["added"], row["conflicts"]
