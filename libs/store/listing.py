"""Tables that people page through, newest first: which columns they see, in which order, by which filters."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from libs.store.engine import ReadSession
from libs.store.instants import EPOCH, instant, milliseconds

Place = tuple[int | str, ...]
"""Where a row stands in its list: its values of the order's columns, instants in µs since the epoch."""
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Listing:
    """A table, its columns for people (`shown`, by blanks), and its order: descending, the first an instant, all together unique
    within the filters that must be given. `time`: what spans of time are about. `computed`: columns that are an expression."""

    table: str
    shown: str
    order: tuple[str, ...]
    time: str
    filters: tuple[str, ...]
    computed: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.shown.split())

    def statement(self, wanted: "Wanted") -> tuple[str, dict[str, object]]:
        """The statement and its parameters; conditions that filter nothing are left out, so that the right index is used."""
        parameters: dict[str, object] = {"most": wanted.most}
        conditions = [f"{self.order[0]} IS NOT NULL"]
        for column, value in wanted.equal.items():
            if column not in self.filters:
                raise KeyError(column)
            if value is not None:
                conditions.append(f'"{column}" = :is_{column}')
                parameters[f"is_{column}"] = value
        for name, sign, time_ms in (("start", ">=", wanted.start_ms), ("end", "<", wanted.end_ms)):
            if time_ms is not None:
                conditions.append(f"{self.time} {sign} :{name}")
                parameters[name] = instant(time_ms)
        if wanted.before is not None:
            names = [f":before_{number}" for number in range(len(self.order))]
            conditions.append(f"({', '.join(self.order)}) < ({', '.join(names)})")
            parameters |= {f"before_{number}": value for number, value in enumerate(self._values(wanted.before))}
        chosen = ", ".join(
            f'{self.computed[name]} AS "{name}"' if name in self.computed else f'"{name}"' for name in self.columns
        )
        places = ", ".join(f"{name} AS place_{number}" for number, name in enumerate(self.order))
        newest = ", ".join(f"{name} DESC" for name in self.order)
        statement = (
            f"SELECT {chosen}, {places} FROM {self.table} WHERE {' AND '.join(conditions)}"  # noqa: S608 - our own names
            f" ORDER BY {newest} LIMIT :most"
        )
        return statement, parameters

    def _values(self, place: Place) -> list[object]:
        """The first column of an order is an instant."""
        at = place[0]
        assert isinstance(at, int)
        return [EPOCH + at * _MICROSECOND, *place[1:]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: columns equal to values (None filters nothing), `start_ms <= time < end_ms`, after `before`; at most `most`."""

    equal: Mapping[str, object] = field(default_factory=dict)
    start_ms: int | None = None
    end_ms: int | None = None
    before: Place | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A row by the names of its columns, instants as ms since the epoch under `…_ms`; and its place."""

    values: dict[str, Any]
    place: Place


async def listed(session: ReadSession, listing: Listing, wanted: Wanted) -> list[Listed]:
    """Rows of a list, newest first. Raises `KeyError` for a filter that the list has not."""
    statement, parameters = listing.statement(wanted)
    found = []
    for row in (await session.connection.execute(text(statement), parameters)).all():
        columns = len(listing.columns)
        values = shown(dict(zip(listing.columns, row[:columns], strict=True)))
        at, *others = row[columns:]
        found.append(Listed(values, ((at - EPOCH) // _MICROSECOND, *others)))
    return found


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as programs are told it: instants in ms under `…_ms`, everything else as it is."""
    return {
        f"{name}_ms" if name in INSTANTS else name: milliseconds(value) if isinstance(value, dt.datetime) else value
        for name, value in row.items()
    }


_INSTANTS = (
    "event_time trade_time effective_at available_at next_funding_time signal_time order_time entry_time exit_time hold_until"
    " readable_time decided_time sent_time answered_time stop_sent_time protected_time targets_time recorded_at updated_at"
    " intended_at valid_until changed_at fill_time obeyed_at expires_at market_time happened_at"
    " last_at"
)
INSTANTS = frozenset(_INSTANTS.split())
"""Every column of an instant that a list shows."""
NUMBERED = frozenset({"audit_id"})
"""Columns of an order that are numbers; the others behind the instant are texts."""

SNAPSHOTS = Listing(
    "rate_snapshots",
    "symbol event_time mark_price index_price basis_percent funding_rate next_funding_time",
    order=("event_time",),
    time="event_time",
    filters=("symbol",),
)
FEATURES = Listing(
    "signal_indicators",
    "symbol event_time price cvd_5m cvd_30m cvd_4h vwap_5m vwap_30m vwap_4h coverage_5m coverage_30m coverage_4h large_p95"
    " large_p99 atr atr_percentile last_agg_id trades_late trades_missing slow_inputs scores",
    order=("event_time",),
    time="event_time",
    filters=("symbol",),
    computed={"slow_inputs": "content -> 'slow_inputs'", "scores": "content -> 'scores'"},
)
SLOW_INPUTS = Listing(
    "market_indicators",
    "event_id symbol kind period event_time values source available_at availability_assumed",
    order=("event_time", "event_id"),
    time="event_time",
    filters=("symbol", "kind", "period"),
)
FORCED_ORDERS = Listing(
    "liquidation_events",
    "event_id symbol side liquidated trade_time quantity average_price order_price notional status",
    order=("trade_time", "event_id"),
    time="trade_time",
    filters=("symbol", "side"),
    computed={
        "liquidated": "CASE side WHEN 'SELL' THEN 'long' ELSE 'short' END",
        "notional": "quantity * average_price",
    },
)
PAPER_TRADES = Listing(
    "paper_trades",
    "trade_id signal_id strategy version symbol direction state reason score signal_time signal_price order_time entry_time"
    " exit_time hold_until entry_price exit_price quantity quantity_left stop_loss stop_now take_profit_1 take_profit_2 risk"
    " gross fees slippage signal_slippage funding net net_r adverse_r favourable_r price unrealised fills history"
    " market_time",
    order=("recorded_at", "trade_id"),
    time="signal_time",
    filters=("strategy", "symbol", "state", "trade_id", "signal_id"),
)
LIVE_TRADES = Listing(
    "live_trades",
    "account trade_id signal_id strategy version symbol direction origin state reason exit_reason signal_time decided_time"
    " sent_time answered_time entry_time stop_sent_time protected_time targets_time exit_time hold_until signal_price"
    " entry_price exit_price stop take_profit_1 take_profit_2 quantity quantity_left gross fees funding pnl_quote"
    " fees_unvalued slippage_bps pnl_r risk initial_risk recorded_at updated_at history",
    order=("recorded_at", "trade_id"),
    time="recorded_at",
    filters=("account", "strategy", "symbol", "state", "trade_id", "signal_id"),
    computed={"history": "document -> 'history'"},
)
LIVE_ORDERS = Listing(
    "live_orders",
    "account client_order_id trade_id symbol leg generation side status quantity price trigger_price executed reduce_only"
    " venue_id order_id reason intended_at valid_until changed_at",
    order=("intended_at", "client_order_id"),
    time="intended_at",
    filters=("account", "trade_id", "symbol", "status"),
)
LIVE_EVENTS = Listing(
    "live_events",
    "account event_id trade_id kind event_time detail",
    order=("event_time", "event_id"),
    time="event_time",
    filters=("account", "trade_id", "kind"),
)
LIVE_COMMANDS = Listing(
    "live_commands",
    "account command_id issuer command arguments reason accepted result obeyed_at expires_at",
    order=("obeyed_at", "nonce"),
    time="obeyed_at",
    filters=("account", "command"),
)
AUDIT = Listing(
    "audit_log",
    "audit_id happened_at who action target before after address request_id session_id token_id",
    order=("happened_at", "audit_id"),
    time="happened_at",
    filters=("who", "action"),
)
