"""What people ask of live trading: trades now and before, what was ordered, filled and said of one, and who changed what."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import text

from libs.store.engine import Engine, read_session

MOST_ROWS = 1000
_FIRST, _LAST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 12, 31, tzinfo=dt.UTC)
_COLUMNS = (
    "account, trade_id, signal_id, strategy, version, symbol, direction, origin, state, reason, exit_reason, signal_time,"
    " readable_time, decided_time, sent_time, answered_time, entry_time, stop_sent_time, protected_time, targets_time, exit_time,"
    " hold_until, signal_price, entry_price, exit_price, stop, take_profit_1, take_profit_2, quantity, quantity_left, gross,"
    " fees, funding, pnl_quote, fees_unvalued, slippage_bps, pnl_r, risk, initial_risk, recorded_at, updated_at"
)
_ACCOUNT = "(CAST(:account AS text) IS NULL OR account = :account)"
_TRADE = "account = :account AND trade_id = :trade_id"
_OPEN = text(
    f"SELECT {_COLUMNS} FROM live_trades WHERE {_ACCOUNT} AND state <> ALL (ARRAY['closed', 'refused', 'not_entered'])"  # noqa: S608
    " ORDER BY account, symbol, recorded_at"
)
_BEFORE = text(
    f"SELECT {_COLUMNS} FROM live_trades WHERE {_ACCOUNT} AND recorded_at >= :start AND recorded_at < :stop"  # noqa: S608
    " AND (CAST(:strategy AS text) IS NULL OR strategy = :strategy) AND (CAST(:symbol AS text) IS NULL OR symbol = :symbol)"
    " AND (CAST(:state AS text) IS NULL OR state = :state) ORDER BY recorded_at DESC, trade_id LIMIT :most"
)
_ONE = text(
    f"SELECT {_COLUMNS} FROM live_trades WHERE {_ACCOUNT} AND trade_id LIKE :prefix ORDER BY account, trade_id LIMIT 20"  # noqa: S608
)
_HISTORY = text(f"SELECT document->'history' AS history FROM live_trades WHERE {_TRADE}")  # noqa: S608
_ORDERS = text(
    "SELECT client_order_id, trade_id, symbol, leg, generation, side, status, quantity, price, trigger_price, executed,"  # noqa: S608
    " reduce_only, venue_id, order_id, reason, intended_at, valid_until, changed_at"
    f" FROM live_orders WHERE {_TRADE} ORDER BY intended_at, client_order_id"
)
_FILLS = text(
    "SELECT symbol, venue_trade_id, trade_id, order_id, client_order_id, filled_by, leg, side, price, quantity, fee, fee_asset,"  # noqa: S608
    f" fee_quote, realised, is_maker, fill_time FROM live_fills WHERE {_TRADE} ORDER BY fill_time, venue_trade_id"
)
_EVENTS = text(
    f"SELECT account, event_id, trade_id, kind, event_time, detail FROM live_events WHERE {_ACCOUNT}"  # noqa: S608
    " AND event_time >= :start AND event_time < :stop AND (CAST(:trade_id AS text) IS NULL OR trade_id = :trade_id)"
    " ORDER BY event_time DESC, event_id LIMIT :most"
)
_CONFIGS = text(
    f"SELECT account, version, document, changed_by, reason, command_id, changed_at FROM live_config WHERE {_ACCOUNT}"  # noqa: S608
    " ORDER BY account, version DESC LIMIT :most"
)
_COMMANDS = text(
    "SELECT account, nonce, command_id, issuer, command, arguments, reason, accepted, result, obeyed_at, expires_at"  # noqa: S608
    f" FROM live_commands WHERE {_ACCOUNT} ORDER BY obeyed_at DESC, nonce LIMIT :most"
)
_LEASES = text(
    "SELECT account, owner, epoch, expires_at, expires_at > clock_timestamp() AS is_held FROM live_lease ORDER BY account"
)


@dataclass(frozen=True, slots=True)
class LiveTrade:
    """A row of `live_trades` without its document; quote units, R is `initial_risk`. `entry_time`: of the first fill."""

    account: str
    trade_id: str
    signal_id: str | None
    strategy: str
    version: int
    symbol: str
    direction: Literal["long", "short"]
    origin: Literal["signal", "command", "adopted"]
    state: Literal["entering", "open", "closing", "closed", "refused", "not_entered"]
    reason: str | None
    exit_reason: str | None
    signal_time: dt.datetime | None
    readable_time: dt.datetime | None
    decided_time: dt.datetime | None
    sent_time: dt.datetime | None
    answered_time: dt.datetime | None
    entry_time: dt.datetime | None
    stop_sent_time: dt.datetime | None
    protected_time: dt.datetime | None
    targets_time: dt.datetime | None
    exit_time: dt.datetime | None
    hold_until: dt.datetime | None
    signal_price: Decimal | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    stop: Decimal | None
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    quantity: Decimal
    quantity_left: Decimal
    gross: Decimal
    fees: Decimal
    funding: Decimal
    pnl_quote: Decimal
    fees_unvalued: int
    slippage_bps: Decimal | None
    pnl_r: Decimal | None
    risk: Decimal | None
    initial_risk: Decimal | None
    recorded_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """A row of `live_orders`; `quantity` None: it closes the whole position."""

    client_order_id: str
    trade_id: str
    symbol: str
    leg: str
    generation: int
    side: str
    status: str
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    executed: Decimal
    reduce_only: bool
    venue_id: int | None
    order_id: int | None
    reason: str | None
    intended_at: dt.datetime | None
    valid_until: dt.datetime | None
    changed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class LiveFill:
    """A row of `live_fills`; `fee` in `fee_asset`, `fee_quote` its value in quote units at the fill."""

    symbol: str
    venue_trade_id: int
    trade_id: str
    order_id: int
    client_order_id: str
    filled_by: str
    leg: str | None
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None
    realised: Decimal
    is_maker: bool
    fill_time: dt.datetime


@dataclass(frozen=True, slots=True)
class TradeStory:
    """All that is kept of one trade, in the order of time. `history`: states as the document has them (state, time_ms, why)."""

    trade: LiveTrade
    history: list[dict[str, Any]]
    orders: list[LiveOrder]
    fills: list[LiveFill]
    events: list["EventRow"]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of `live_events`."""

    account: str
    event_id: str
    trade_id: str | None
    kind: str
    event_time: dt.datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """A row of `live_config`; `document` as `LiveConfig` has it."""

    account: str
    version: int
    document: Mapping[str, Any]
    changed_by: str
    reason: str
    command_id: str | None
    changed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A row of `live_commands`."""

    account: str
    nonce: str
    command_id: str
    issuer: str
    command: str
    arguments: Mapping[str, str]
    reason: str
    accepted: bool
    result: str
    obeyed_at: dt.datetime
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """Who trades an account; `is_held` by the database's clock."""

    account: str
    owner: str
    epoch: int
    expires_at: dt.datetime
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRange:
    """Trades that were begun, or events, in [start, stop); None: of any. At most `most` rows, the newest."""

    account: str | None = None
    start: dt.datetime = _FIRST
    stop: dt.datetime = _LAST
    strategy: str | None = None
    symbol: str | None = None
    state: str | None = None
    trade_id: str | None = None
    most: int = MOST_ROWS


async def open_live_trades(engine: Engine, account: str | None = None) -> list[LiveTrade]:
    """What is not over now, by account and symbol. Raises `UnreachableError`, as all questions do."""
    return [LiveTrade(**row) for row in await _rows(engine, _OPEN, {"account": account})]


async def live_trades_of(engine: Engine, asked: LiveRange) -> list[LiveTrade]:
    """Trades of the range, refused ones included, the newest first."""
    names = ("account", "start", "stop", "strategy", "symbol", "state", "most")
    return [LiveTrade(**row) for row in await _rows(engine, _BEFORE, {name: getattr(asked, name) for name in names})]


async def trades_by_prefix(engine: Engine, account: str | None, prefix: str) -> list[LiveTrade]:
    """Trades whose id begins like this, at most 20: what a person who types a short id means."""
    asked = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return [LiveTrade(**row) for row in await _rows(engine, _ONE, {"account": account, "prefix": asked})]


async def trade_story(engine: Engine, trade: LiveTrade) -> TradeStory:
    """Its states, orders, fills and events."""
    key = {"account": trade.account, "trade_id": trade.trade_id}
    states = await _rows(engine, _HISTORY, key)
    events = await live_events_of(engine, LiveRange(account=trade.account, trade_id=trade.trade_id))
    return TradeStory(
        trade,
        states[0]["history"] if states else [],
        [LiveOrder(**row) for row in await _rows(engine, _ORDERS, key)],
        [LiveFill(**row) for row in await _rows(engine, _FILLS, key)],
        events[::-1],
    )


async def live_events_of(engine: Engine, asked: LiveRange) -> list[EventRow]:
    """Events of the range, the newest first."""
    names = ("account", "start", "stop", "trade_id", "most")
    return [EventRow(**row) for row in await _rows(engine, _EVENTS, {name: getattr(asked, name) for name in names})]


async def config_history(engine: Engine, account: str | None = None, most: int = MOST_ROWS) -> list[ConfigVersion]:
    """Every version of what may trade, the newest of each account first."""
    return [ConfigVersion(**row) for row in await _rows(engine, _CONFIGS, {"account": account, "most": most})]


async def command_audit(engine: Engine, account: str | None = None, most: int = MOST_ROWS) -> list[CommandRow]:
    """Every command that the executor has read, the newest first."""
    return [CommandRow(**row) for row in await _rows(engine, _COMMANDS, {"account": account, "most": most})]


async def leases(engine: Engine) -> list[LeaseRow]:
    """Who trades which account."""
    return [LeaseRow(**row) for row in await _rows(engine, _LEASES, {})]


async def _rows(engine: Engine, question: Any, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    async with read_session(engine) as session:
        return [dict(row._mapping) for row in (await session.connection.execute(question, parameters)).all()]
