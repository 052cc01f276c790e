"""Paper trading in PostgreSQL: rows of trades, accounts and curves, written with the state that they follow from."""

import asyncio
import datetime as dt
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.errors import OffsetConflict
from libs.store.engine import Engine, WriteSession, read_session
from libs.store.paper_tables import paper_accounts, paper_equity, paper_state, paper_trades

PaperState = Literal["ordered", "open", "closed", "not_taken", "abandoned"]
"""`abandoned`: ordered or open when its account was begun anew, so that nobody knows how it would have ended."""
FINAL = ("closed", "not_taken")
_CLAIM = """
INSERT INTO paper_state (only_row, number, generation, market_time, state) VALUES (true, 1, $1, $2, $3)
ON CONFLICT DO NOTHING RETURNING number
"""
_MOVE = """
UPDATE paper_state SET number = number + 1, generation = $1, market_time = $2, state = $3, saved_at = now()
WHERE number = $4 RETURNING number
"""
# Only what this transaction begins anew: with another log than the state's, or without any state.
_ABANDON = """
UPDATE paper_trades SET state = 'abandoned', reason = 'accounts_begun_anew', history = history || jsonb_build_array(
  jsonb_build_object('state', 'abandoned', 'time_ms', floor(extract(epoch FROM market_time) * 1000)::bigint))
WHERE state IN ('ordered', 'open') AND NOT EXISTS (SELECT 1 FROM paper_state WHERE generation = $1)
"""
_SAME = "SELECT number FROM paper_state WHERE number = $1 AND generation = $2 AND market_time = $3 AND state = $4"
_COMPRESSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """A row of `paper_trades`; None: not known yet, or never (a signal that was not taken has no fills)."""

    trade_id: str
    signal_id: str
    strategy: str
    symbol: str
    state: PaperState
    market_time: dt.datetime
    version: int | None = None
    direction: str | None = None
    reason: str | None = None
    score: float | None = None
    signal_time: dt.datetime | None = None
    signal_price: Decimal | None = None
    order_time: dt.datetime | None = None
    entry_time: dt.datetime | None = None
    exit_time: dt.datetime | None = None
    hold_until: dt.datetime | None = None
    entry_price: Decimal | None = None
    exit_price: Decimal | None = None
    quantity: Decimal | None = None
    quantity_left: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_now: Decimal | None = None
    take_profit_1: Decimal | None = None
    take_profit_2: Decimal | None = None
    risk: Decimal | None = None
    gross: Decimal | None = None
    fees: Decimal | None = None
    slippage: Decimal | None = None
    signal_slippage: Decimal | None = None
    funding: Decimal | None = None
    net: Decimal | None = None
    net_r: float | None = None
    adverse_r: float | None = None
    favourable_r: float | None = None
    price: Decimal | None = None
    unrealised: Decimal | None = None
    fills: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """A row of `paper_accounts`."""

    strategy: str
    starting_balance: Decimal
    risk_per_trade: Decimal
    balance: Decimal
    unrealised: Decimal
    open_positions: int
    day: dt.date
    day_realised: Decimal
    day_over: bool
    level: str
    break_until: dt.datetime | None
    market_time: dt.datetime


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """A row of `paper_equity`."""

    strategy: str
    event_time: dt.datetime
    equity: float
    open_positions: int
    exposure: float


@dataclass(slots=True)
class PaperRows:
    """What is written together; of a trade or an account that comes twice the later one counts."""

    trades: dict[str, PaperTrade] = field(default_factory=dict)
    accounts: dict[str, PaperAccount] = field(default_factory=dict)
    equity: list[EquityPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KeptPaper:
    """The state of all accounts. `number` counts the writings; `generation`: of the log that it was read from."""

    number: int
    generation: str
    market_time: dt.datetime
    state: bytes


async def load_paper(engine: Engine) -> KeptPaper | None:
    """The latest state, None before the first. Raises `UnreachableError`; `ValueError` when it was not packed by this code."""
    async with read_session(engine) as session:
        row = (await session.connection.execute(select(paper_state))).one_or_none()
    if row is None:
        return None
    try:
        state = await asyncio.to_thread(zlib.decompress, row.state)
    except zlib.error as problem:
        raise ValueError(f"not a packed state: {problem}") from None
    return KeptPaper(row.number, row.generation, row.market_time, state)


async def packed(state: bytes) -> bytes:
    """A state as it is stored; it may be megabytes, so a thread does it."""
    return await asyncio.to_thread(zlib.compress, state, _COMPRESSION)


async def write_paper(session: WriteSession, old: int | None, kept: KeptPaper, rows: PaperRows) -> int:
    """Move the state from number `old` (None: the first one) to the next, and write its rows; returns the new number. What
    accounts of another log have left ordered or open is abandoned.

    `kept.state` is packed. Raises `OffsetConflict` when somebody else has moved it: nothing is written then.
    """
    values = (kept.generation, kept.market_time, kept.state)
    await session.raw.execute(_ABANDON, kept.generation)
    moved = await (session.raw.fetchval(_CLAIM, *values) if old is None else session.raw.fetchval(_MOVE, *values, old))
    if moved is None:
        raise OffsetConflict(f"the paper accounts no longer stand at {old}: another paper trader writes them")
    await _put(session, paper_trades, rows.trades.values(), ("trade_id",))
    await _put(session, paper_accounts, rows.accounts.values(), ("strategy",))
    await _put(session, paper_equity, rows.equity, ("strategy", "event_time"))
    return int(moved)


async def written_before(session: WriteSession, old: int | None, kept: KeptPaper) -> int | None:
    """The number of this very state where it is the next after `old` already, as after a commit whose acknowledgement was lost;
    its rows are there too then, because they were in its transaction."""
    values = ((old or 0) + 1, kept.generation, kept.market_time, kept.state)
    found: int | None = await session.raw.fetchval(_SAME, *values)
    return found


async def _put(session: WriteSession, table: Table, rows: Iterable[Any], key: Sequence[str]) -> None:
    """Insert, or bring up to date. A trade that has ended stays ended: a replay of the log passes through its beginning again."""
    found = [asdict(row) for row in rows]
    if not found:
        return
    statement = insert(table)
    changed: dict[str, ColumnElement[Any]] = {
        column.name: statement.excluded[column.name] for column in table.columns if column.name in found[0]
    }
    if "updated_at" in table.c:
        changed["updated_at"] = func.now()
    ended = None
    if table is paper_trades:
        new = statement.excluded.state
        going_on = and_(*(table.c.state != state for state in FINAL))
        ended = or_(going_on, *(new == state for state in FINAL))
    update = statement.on_conflict_do_update(
        index_elements=list(key), set_={name: value for name, value in changed.items() if name not in key}, where=ended
    )
    await session.connection.execute(update, found)
