"""A page of the executor's books as one statement, proof of the lease included: an order waits for it, and each way to the
database and back is time that it loses."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Table

from libs.store.live_rows import Row, event_row, fill_row, order_row, trade_row
from libs.store.live_tables import live_events, live_fills, live_offsets, live_orders, live_trades
from libs.trading.execution.books import Page
from libs.trading.execution.document import Trade

_PROVEN = """
proven AS (
  SELECT 1 FROM live_lease WHERE account = $1 AND epoch = $2 AND expires_at > clock_timestamp() FOR UPDATE)
"""
_TABLES = (live_trades, live_orders, live_fills, live_events, live_offsets)
_encoder = msgspec.json.Encoder(decimal_format="string")


def written_columns(table: Table) -> tuple[str, ...]:
    """Those that a row says; the others keep the server's default."""
    return tuple(column.name for column in table.columns if column.server_default is None)


def _part(table: Table) -> str:
    """Rows of one table: events stay as they were first, everything else becomes what it is now."""
    columns, key = written_columns(table), [column.name for column in table.primary_key]
    changed = [f"{name} = excluded.{name}" for name in columns if name not in key]
    changed += ["updated_at = now()"] if "updated_at" in table.c else []
    end = "DO NOTHING" if table is live_events else f"({', '.join(key)}) DO UPDATE SET {', '.join(changed)}"
    given = f"jsonb_populate_recordset(NULL::{table.name}, $3::jsonb -> '{table.name}')"
    named = ", ".join(f"given.{name}" for name in columns)
    into = f"INSERT INTO {table.name} ({', '.join(columns)})"
    return f"{table.name}_rows AS ({into} SELECT {named} FROM {given} AS given, proven ON CONFLICT {end})"  # noqa: S608


WRITE_PAGE = f"WITH {_PROVEN}, {', '.join(map(_part, _TABLES))} SELECT count(*) FROM proven"  # noqa: S608
"""$1 account, $2 epoch, $3 `rows_of`. The answer is 1; 0: the lease is over, and nothing was written."""


def rows_of(account: str, page: Page) -> str:
    """The rows by table, as JSON. Raises `ValueError` for a trade of another account."""
    trades = list({trade.trade_id: trade for trade in page.trades}.values())
    strange = [trade.trade_id for trade in trades if trade.account != account]
    if strange:
        raise ValueError(f"trades of another account than {account}: {strange}")
    moves = [
        {"account": account, "topic": topic, "partition": partition, "next_offset": offset}
        for (topic, partition), offset in page.offsets.items()
    ]
    events = (event_row(account, event) for event in reversed(page.events))
    found: dict[str, Sequence[Row]] = {
        live_trades.name: [trade_row(trade) for trade in trades],
        live_orders.name: _orders(trades),
        live_fills.name: _fills(trades),
        live_events.name: _once(events, "event_id"),
        live_offsets.name: moves,
    }
    return _encoder.encode(found).decode()


def _orders(trades: Sequence[Trade]) -> list[Row]:
    return _once((order_row(trade, order) for trade in trades for order in trade.orders), "client_order_id")


def _fills(trades: Sequence[Trade]) -> list[Row]:
    return _once((fill_row(trade, fill) for trade in trades for fill in trade.fills), "symbol", "venue_trade_id")


def _once(rows: Iterable[Row], *key: str) -> list[Row]:
    """The last row of each key: one statement changes a row once."""
    return list({tuple(row[name] for name in key): row for row in rows}.values())
