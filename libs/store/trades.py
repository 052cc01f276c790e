"""Aggregate trades into PostgreSQL: new rows by COPY, known ids compared, and what the table holds kept per symbol and bar.

Under the lock of a symbol's `agg_trades_meta` row, an id above its `last_id` cannot be in the table, so such rows go straight in
by binary COPY (440k rows/s where unnest gives 160k, docs/decisions/0011-store.md). Everything else is laid beside the table
first: equal rows are dropped, other content under a known id is kept in `agg_trades_conflicts`.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np

from libs.kit.durations import HOUR_MS, MINUTE_MS
from libs.store.copy_format import COLUMNS, HEADER, TRAILER, SymbolTrades, encode_trades
from libs.store.engine import WriteSession
from libs.store.trade_bars import add_to_bars, bars_of

_CLAIM_SYMBOLS = "INSERT INTO agg_trades_meta VALUES ($1, NULL, NULL, 0, NULL, NULL, 0, 0, 0) ON CONFLICT DO NOTHING"
_LOCK_SYMBOLS = "SELECT symbol, last_id FROM agg_trades_meta WHERE symbol = ANY($1) ORDER BY symbol FOR UPDATE"
_UPDATE_META = """
UPDATE agg_trades_meta AS kept SET
  first_id = least(kept.first_id, new.first_id), last_id = greatest(kept.last_id, new.last_id),
  first_time = least(kept.first_time, timestamptz 'epoch' + new.first_ms * interval '1 millisecond'),
  last_time = greatest(kept.last_time, timestamptz 'epoch' + new.last_ms * interval '1 millisecond'),
  row_count = kept.row_count + new.row_count, late_count = kept.late_count + new.late_count
FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[])
  AS new (symbol, first_id, last_id, first_ms, last_ms, row_count, late_count)
WHERE kept.symbol = new.symbol
"""
_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_trades (
  symbol text, agg_id bigint, trade_time timestamptz, price numeric, quantity numeric, first_trade_id bigint,
  last_trade_id bigint, buyer_is_maker boolean, effective_time timestamptz) ON COMMIT DELETE ROWS
"""
_SET_CONFLICTS_ASIDE = """
WITH aside AS (
  INSERT INTO agg_trades_conflicts
  SELECT i.symbol, i.agg_id, i.trade_time, i.price, i.quantity, i.first_trade_id, i.last_trade_id, i.buyer_is_maker
  FROM incoming_trades i JOIN agg_trades k ON k.symbol = $1 AND k.agg_id BETWEEN $2 AND $3 AND k.agg_id = i.agg_id
  WHERE i.symbol = $1 AND (i.trade_time, i.price, i.quantity, i.first_trade_id, i.last_trade_id, i.buyer_is_maker)
    IS DISTINCT FROM (k.trade_time, k.price, k.quantity, k.first_trade_id, k.last_trade_id, k.buyer_is_maker)
  ON CONFLICT DO NOTHING RETURNING agg_id),
counted AS (
  UPDATE agg_trades_meta SET conflict_count = conflict_count + (SELECT count(*) FROM aside) WHERE symbol = $1)
SELECT agg_id FROM aside ORDER BY agg_id
"""
_INSERT_UNKNOWN = f"""
WITH added AS (
  INSERT INTO agg_trades SELECT i.* FROM incoming_trades i WHERE i.symbol = $1 AND NOT EXISTS (
    SELECT FROM agg_trades k WHERE k.symbol = $1 AND k.agg_id BETWEEN $2 AND $3 AND k.agg_id = i.agg_id)
  RETURNING *),
minutes AS ({bars_of("added", MINUTE_MS)}),
hours AS ({bars_of("added", HOUR_MS)})
UPDATE agg_trades_meta AS kept SET
  first_id = least(kept.first_id, new.first_id), last_id = greatest(kept.last_id, new.last_id),
  first_time = least(kept.first_time, new.first_time), last_time = greatest(kept.last_time, new.last_time),
  row_count = kept.row_count + new.row_count, late_count = kept.late_count + new.late_count
FROM (SELECT min(agg_id) AS first_id, max(agg_id) AS last_id, min(trade_time) AS first_time,
    max(trade_time) AS last_time, count(*) AS row_count, count(effective_time) AS late_count FROM added) AS new
WHERE kept.symbol = $1 RETURNING new.row_count
"""  # noqa: S608 - constants
_ANY_BETWEEN = "SELECT EXISTS (SELECT FROM agg_trades WHERE symbol = $1 AND agg_id BETWEEN $2 AND $3)"
# Counted anew from the holes and the rows, so overlapping holes and later repairs cannot make it wrong.
_COUNT_MISSING = """
UPDATE agg_trades_meta AS meta SET missing_count = coalesce((
  SELECT sum(upper(hole) - lower(hole) - (SELECT count(DISTINCT k.agg_id) FROM agg_trades k WHERE k.symbol = meta.symbol
      AND k.agg_id >= lower(hole) AND k.agg_id < upper(hole)))
  FROM (SELECT unnest(range_agg(int8range(first_missing_id, last_missing_id, '[]'))) AS hole
        FROM market_data_gaps WHERE symbol = meta.symbol AND outcome IN ('open', 'lost')) AS holes), 0)
WHERE meta.symbol = ANY($1)
"""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One id that came with other content than the table holds; its row is kept in a table of its own.

    `expected`: another run of the same market may say so, and it is no defect.
    """

    table: str
    key: str
    expected: bool = False


@dataclass(slots=True)
class TradesWritten:
    """What one transaction did: rows added, rows that were known already, and ids that came with other content."""

    added: int = 0
    known: int = 0
    conflicts: list[Conflict] | None = None

    def conflicting(self) -> list[Conflict]:
        """The ids set aside now for the first time."""
        return self.conflicts or []


async def _stream(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    yield HEADER
    for part in parts:
        yield part
    yield TRAILER


async def _copy(session: WriteSession, table: str, trades: Sequence[SymbolTrades]) -> None:
    await session.raw.copy_to_table(table, source=_stream(encode_trades(trades)), columns=COLUMNS, format="binary")


async def lock_symbols(session: WriteSession, symbols: Iterable[str]) -> dict[str, int]:
    """The greatest known id by symbol (-1: none), locked until the transaction ends; in name order, so nobody deadlocks."""
    names = sorted(set(symbols))
    last = {row["symbol"]: row["last_id"] for row in await session.raw.fetch(_LOCK_SYMBOLS, names)}
    unknown = [name for name in names if name not in last]
    if unknown:
        await session.raw.executemany(_CLAIM_SYMBOLS, [(name,) for name in unknown])
        last = {row["symbol"]: row["last_id"] for row in await session.raw.fetch(_LOCK_SYMBOLS, names)}
    return {symbol: -1 if last_id is None else last_id for symbol, last_id in last.items()}


async def write_trades(session: WriteSession, trades: Sequence[SymbolTrades]) -> TradesWritten:
    """Add the rows that the table does not have, and keep `agg_trades_meta` true; a second call adds nothing.

    The months' partitions must exist (`libs.store.partitions`). Rows of a symbol come with strictly rising ids over all its
    groups: `FrameGate` gives them so. Raises asyncpg errors.
    """
    groups = [group for group in trades if len(group)]
    if not groups:
        return TradesWritten()
    last_ids = await lock_symbols(session, (group.symbol for group in groups))
    fresh, repeated, older = [], [], set[str]()
    for group in groups:
        above = group.agg_id > last_ids[group.symbol]
        if above.all():
            fresh.append(group)
            continue
        if not above.any() and not await _has_any(session, group):
            # History before what is there: no id of its span is known, so it may go straight in as well.
            fresh.append(group)
            older.add(group.symbol)
            continue
        if above.any():
            fresh.append(group.select(above))
        repeated.append(group.select(~above))
    written = TradesWritten()
    if fresh:
        try:
            async with session.raw.transaction():
                await _copy(session, "agg_trades", fresh)
            await _raise_meta(session, fresh)
            await add_to_bars(session, fresh)
            if older:
                await count_missing(session, sorted(older))
            written.added = sum(len(group) for group in fresh)
        except asyncpg.UniqueViolationError:
            # Only after somebody wrote rows behind the meta table's back; the careful way is right in any case.
            repeated.extend(fresh)
    if repeated:
        await _lay_beside(session, repeated, written, add=True)
    return written


async def _has_any(session: WriteSession, group: SymbolTrades) -> bool:
    low, high = int(group.agg_id.min()), int(group.agg_id.max())
    return bool(await session.raw.fetchval(_ANY_BETWEEN, group.symbol, low, high))


async def compare_trades(session: WriteSession, trades: Sequence[SymbolTrades]) -> TradesWritten:
    """Look for other content under known ids without adding rows: for what the gate dropped as duplicates."""
    groups = [group for group in trades if len(group)]
    written = TradesWritten()
    if groups:
        await lock_symbols(session, (group.symbol for group in groups))
        await _lay_beside(session, groups, written, add=False)
    return written


async def _raise_meta(session: WriteSession, fresh: Sequence[SymbolTrades]) -> None:
    totals: dict[str, list[int]] = {}
    for group in fresh:
        late = int(np.count_nonzero(group.time != group.trade_time))
        first_ms, last_ms = int(group.trade_time.min()), int(group.trade_time.max())
        first_id, last_id = int(group.agg_id[0]), int(group.agg_id[-1])
        total = totals.setdefault(group.symbol, [first_id, last_id, first_ms, last_ms, 0, 0])
        total[0], total[1] = min(total[0], first_id), max(total[1], last_id)
        total[2], total[3] = min(total[2], first_ms), max(total[3], last_ms)
        total[4] += len(group)
        total[5] += late
    await session.raw.execute(_UPDATE_META, list(totals), *map(list, zip(*totals.values(), strict=True)))


async def _lay_beside(
    session: WriteSession, groups: Sequence[SymbolTrades], written: TradesWritten, *, add: bool
) -> None:
    await session.raw.execute(_INCOMING)
    await session.raw.execute("TRUNCATE incoming_trades")
    await _copy(session, "incoming_trades", groups)
    spans: dict[str, tuple[int, int]] = {}
    for group in groups:
        low, high = spans.get(group.symbol, (int(group.agg_id[0]), -1))
        spans[group.symbol] = (min(low, int(group.agg_id.min())), max(high, int(group.agg_id.max())))
    conflicts: list[Conflict] = []
    added = 0
    # Nothing is known yet of rows that came a moment ago: the planner takes 80,000 for one, and compares each with each.
    await session.raw.execute("SET LOCAL enable_nestloop = off")
    for symbol, (low, high) in sorted(spans.items()):
        found = await session.raw.fetch(_SET_CONFLICTS_ASIDE, symbol, low, high)
        conflicts.extend(Conflict("agg_trades", f"{symbol}:{row['agg_id']}") for row in found)
        if add:
            added += await session.raw.fetchval(_INSERT_UNKNOWN, symbol, low, high)
    await session.raw.execute("SET LOCAL enable_nestloop = on")
    if added:
        await count_missing(session, list(spans))
    written.added += added
    written.known += sum(len(group) for group in groups) - added
    written.conflicts = (written.conflicts or []) + conflicts


async def count_missing(session: WriteSession, symbols: Sequence[str]) -> None:
    """Count the ids that the gaps of these symbols leave open anew; their rows of the meta table must be locked."""
    await session.raw.execute(_COUNT_MISSING, list(symbols))
