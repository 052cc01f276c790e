"""Closed trades as they are stored, and the correction of their figures with a row of audit for each.

The traders themselves write a trade no more once it is closed: only a person's recalculation does, one transaction for all.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.kit.errors import UserError
from libs.store.engine import Engine, RawConnection, read_session, write_session
from libs.store.live_rows import figures, packed
from libs.trading.corrections import Correction, Figure, corrections, paper_figures
from libs.trading.execution.document import Fill, Trade

Books = Literal["paper", "live"]
_PAPER = (
    "SELECT strategy AS account, trade_id, direction, fills, funding, stop_loss, entry_price, exit_price, risk, gross, fees,"
    " slippage, net, net_r FROM paper_trades WHERE state = 'closed' AND exit_time >= :start AND exit_time < :stop"
    " AND (CAST(:account AS text) IS NULL OR strategy = :account) ORDER BY exit_time, trade_id"
)
_LIVE = (
    "SELECT account, trade_id, document::text AS document, entry_price, exit_price, quantity_left, gross, fees, funding,"
    " pnl_quote, pnl_r, fees_unvalued, slippage_bps FROM live_trades WHERE state = 'closed' AND exit_time >= :start"
    " AND exit_time < :stop AND account = :account ORDER BY exit_time, trade_id"
)
_FILLS = (
    "SELECT f.trade_id AS ours, f.venue_trade_id AS trade_id, f.order_id, f.client_order_id AS client_id, f.filled_by AS by,"
    " f.leg, f.side, f.price, f.quantity, f.fee, f.fee_asset, f.fee_quote, f.realised, f.is_maker,"
    " (extract(epoch FROM f.fill_time) * 1000)::int8 AS time_ms"
    " FROM live_fills f JOIN live_trades t ON t.account = f.account AND t.trade_id = f.trade_id"
    " WHERE t.account = :account AND t.state = 'closed' AND t.exit_time >= :start AND t.exit_time < :stop"
    " ORDER BY f.fill_time, f.venue_trade_id"
)
_AUDIT = """
INSERT INTO profit_corrections (correction_id, books, account, trade_id, field, before, after, corrected_by, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_PAPER_FIELDS = ("entry_price", "exit_price", "risk", "gross", "fees", "slippage", "net", "net_r")
_LIVE_FIELDS = (
    "entry_price", "exit_price", "quantity_left", "gross", "fees", "funding", "pnl_quote", "pnl_r", "fees_unvalued",
    "slippage_bps",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recalculated:
    """What one trade's stored figures should be; `account`: a paper trade's strategy. `trouble`: why it cannot be said."""

    books: Books
    account: str
    trade_id: str
    corrections: tuple[Correction, ...]
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class RecalculationRange:
    """Trades that were closed in [start, stop): of a live account, or of a paper strategy (None: of all)."""

    books: Books
    account: str | None
    start: dt.datetime
    stop: dt.datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """Who corrects, why, and under which id it stands in the audit."""

    correction_id: str
    corrected_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    told: Recalculated
    document: str | None = None


async def recalculate(engine: Engine, asked: RecalculationRange) -> tuple[int, list[Recalculated]]:
    """How many closed trades there are, and those whose figures are not what their fills say; nothing is changed.

    Raises `UnreachableError`; `UserError` for a document that cannot be read.
    """
    async with read_session(engine) as session:
        found = await _found(session.connection, asked, "")
    return len(found), [each.told for each in found if each.told.corrections or each.told.trouble]


async def correct(engine: Engine, asked: RecalculationRange, signed: Signature) -> tuple[int, list[Recalculated]]:
    """The same, written: all of it or none, with an audit row a figure. Raises what `recalculate` raises."""
    async with write_session(engine) as session:
        found = await _found(session.connection, asked, " FOR UPDATE")
        changed = [each for each in found if each.told.corrections or each.told.trouble]
        for each in changed:
            await _write(session.raw, each, signed)
    return len(found), [each.told for each in changed]


async def _found(connection: AsyncConnection, asked: RecalculationRange, lock: str) -> list[_Found]:
    parameters = {"account": asked.account, "start": asked.start, "stop": asked.stop}
    rows = await _rows(connection, (_PAPER if asked.books == "paper" else _LIVE) + lock, parameters)
    if asked.books == "paper":
        return [_Found(_compared("paper", row, partial(_paper_figures, row))) for row in rows]
    fills: dict[str, list[Fill]] = {}
    for values in await _rows(connection, _FILLS, parameters):
        fills.setdefault(values.pop("ours"), []).append(Fill(**values))
    return [_live(row, fills.get(row["trade_id"], [])) for row in rows]


async def _rows(connection: AsyncConnection, question: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in (await connection.execute(text(question), parameters)).all()]


def _paper_figures(row: Mapping[str, Any]) -> dict[str, Figure]:
    return paper_figures(row["direction"], row["fills"], row["funding"], row["stop_loss"])


def _live(row: Mapping[str, Any], fills: Sequence[Fill]) -> _Found:
    """The document with the fills as they are stored, which are the same unless somebody has mended a row."""
    trade = msgspec.structs.replace(_document(row), fills=tuple(fills))
    return _Found(_compared("live", row, partial(figures, trade)), packed(trade))


def _document(row: Mapping[str, Any]) -> Trade:
    try:
        return msgspec.json.decode(row["document"], type=Trade)
    except msgspec.MsgspecError as error:
        raise UserError(
            f"the document of {row['trade_id']} cannot be read: {error}",
            where="live_trades",
            todo="use the version that wrote it, or newer",
        ) from None


def _compared(books: Books, row: Mapping[str, Any], right: Callable[[], Mapping[str, Any]]) -> Recalculated:
    try:
        found = tuple(corrections(row, right()))
    except ValueError as error:
        return Recalculated(books, row["account"], row["trade_id"], (), str(error))
    return Recalculated(books, row["account"], row["trade_id"], found)


async def _write(raw: RawConnection, each: _Found, signed: Signature) -> None:
    told = each.told
    if not told.corrections:
        return
    fields = _PAPER_FIELDS if told.books == "paper" else _LIVE_FIELDS
    changed = [correction for correction in told.corrections if correction.field in fields]
    sets = [f"{correction.field} = ${number}" for number, correction in enumerate(changed, start=3)]
    key: list[Any] = [told.account, told.trade_id, *(correction.after for correction in changed)]
    if told.books == "paper":
        statement = f"UPDATE paper_trades SET {', '.join(sets)} WHERE strategy = $1 AND trade_id = $2"  # noqa: S608
    else:
        sets += ["updated_at = now()", f"document = ${len(key) + 1}::jsonb"]
        key.append(each.document)
        statement = f"UPDATE live_trades SET {', '.join(sets)} WHERE account = $1 AND trade_id = $2"  # noqa: S608
    await raw.execute(statement, *key)
    await raw.executemany(_AUDIT, _audit(told, changed, signed))


def _audit(told: Recalculated, changed: Sequence[Correction], signed: Signature) -> list[tuple[str | None, ...]]:
    return [
        (
            signed.correction_id,
            told.books,
            told.account,
            told.trade_id,
            correction.field,
            _written(correction.before),
            _written(correction.after),
            signed.corrected_by,
            signed.reason,
        )
        for correction in changed
    ]


def _written(figure: Figure) -> str | None:
    return None if figure is None else str(figure)
