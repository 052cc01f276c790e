"""The venue's income statement of an account, line by line: what our own sums are reconciled with."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession
from libs.store.instants import instant, milliseconds
from libs.store.live_rows import plain
from libs.trading.execution.books import Statement

_ADD = """
INSERT INTO account_statement (account, kind, transaction_id, asset, symbol, amount, entry_time, venue_trade_id, info)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
# A span that does not meet the known one replaces it: of what lies between nobody knows whether it is whole.
_EXTEND = """
INSERT INTO account_statement_read AS known (account, read_from, read_until) VALUES ($1, $2, $3)
ON CONFLICT (account) DO UPDATE SET updated_at = now(),
  read_from = CASE WHEN excluded.read_from <= known.read_until AND excluded.read_until >= known.read_from
    THEN least(excluded.read_from, known.read_from) ELSE excluded.read_from END,
  read_until = CASE WHEN excluded.read_from <= known.read_until AND excluded.read_until >= known.read_from
    THEN greatest(excluded.read_until, known.read_until) ELSE excluded.read_until END
"""
_SPAN = text("SELECT read_from, read_until FROM account_statement_read WHERE account = :account")


@dataclass(frozen=True, slots=True)
class StatementSpan:
    """Every line of [start, stop) that the venue gave is there."""

    start: dt.datetime
    stop: dt.datetime


async def write_statement(session: WriteSession, account: str, statement: Statement) -> None:
    """Add the lines that are not there (key: kind, transaction id, asset, symbol), and the span that they cover."""
    rows = [
        (
            account,
            plain(line.kind),
            line.transaction_id,
            plain(line.asset),
            plain(line.symbol),
            line.amount,
            instant(line.time_ms),
            plain(line.trade_id),
            plain(line.info),
        )
        for line in statement.lines
    ]
    if rows:
        await session.raw.executemany(_ADD, rows)
    await session.raw.execute(_EXTEND, account, instant(statement.since_ms), instant(statement.until_ms))


async def statement_span(session: ReadSession, account: str) -> StatementSpan | None:
    """Which part of the statement is known without a hole; None: nothing of it."""
    row = (await session.connection.execute(_SPAN, {"account": account})).one_or_none()
    return None if row is None else StatementSpan(row.read_from, row.read_until)


async def read_until_ms(session: ReadSession, account: str) -> int | None:
    """Where reading the statement goes on; None before the first time."""
    span = await statement_span(session, account)
    return None if span is None else milliseconds(span.stop)
