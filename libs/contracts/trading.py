"""What traders and guards say: paper and live trades, orders, positions, risk state and alerts."""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from libs.contracts.event import Event
from libs.contracts.signals import Direction

OrderStatus = Literal[
    "intended",
    "submitting",
    "unknown",
    "new",
    "partially_filled",
    "filled",
    "canceled",
    "rejected",
    "expired",
]
OrderLeg = Literal["entry", "stop", "bridge", "break_even", "take_profit_1", "take_profit_2", "trailing", "close"]
"""`bridge`: a stop with a quantity that stands while the one that closes the position is moved; `close`: an exit at market."""
RiskLevel = Literal["normal", "warning", "circuit_break"]


class PaperTradeChanged(Event, frozen=True, kw_only=True):
    """A paper position opened, was partly closed, or closed: one event a fill, of which price and quantity are.

    PnL in quote units and in R (multiples of the initial risk), up to this fill: exits against the entry, less all fees; of a
    closed position with funding too.
    """

    SCHEMA: ClassVar[str] = "paper_trade_changed/1"

    position_id: str
    signal_id: str
    strategy: str
    symbol: str
    direction: Direction
    state: Literal["opened", "reduced", "closed"]
    exit_reason: str | None
    price: Decimal
    quantity: Decimal
    pnl_quote: Decimal
    pnl_r: Decimal


class OrderChanged(Event, frozen=True, kw_only=True):
    """A step in the life of one order that the executor meant or sent; quantities in base units, prices in quote units.

    `client_order_id` says account, installation, trade, leg and generation (`libs.trading.execution.client_ids`); `quantity`
    None: it closes the whole position.
    """

    SCHEMA: ClassVar[str] = "order_changed/1"

    account: str
    client_order_id: str
    trade_id: str
    leg: OrderLeg
    symbol: str
    side: Literal["BUY", "SELL"]
    status: OrderStatus
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    filled_quantity: Decimal
    reduce_only: bool
    venue_order_id: str | None
    reason: str | None


class LiveTradeChanged(Event, frozen=True, kw_only=True):
    """A trade of an account has reached a state; `event_id` = f(account, trade, state, fills, stop, profit).

    Prices in quote units, quantities in base units. `risk_quote`: 1 R, fixed at the entry; `pnl_quote` up to now: exits against
    the entry, less fees, with funding; `slippage_bps`: the entry's average against the signal's price, above 0 is worse.
    """

    SCHEMA: ClassVar[str] = "live_trade_changed/1"

    account: str
    trade_id: str
    strategy: str
    symbol: str
    direction: Direction
    state: Literal["entering", "open", "closing", "closed", "refused", "not_entered"]
    reason: str | None
    quantity: Decimal
    quantity_left: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    stop: Decimal | None
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    risk_quote: Decimal | None
    pnl_quote: Decimal
    pnl_r: Decimal | None
    slippage_bps: Decimal | None
    entered_at_ms: int | None
    hold_until_ms: int | None


class ExecutorReported(Event, frozen=True, kw_only=True):
    """The executor's heartbeat, once a second and at every change: what it does, and what keeps it from opening anything.

    `epoch`: of its lease; 0 while it waits for one. `reconciled_at_ms`: of the last reconciliation that agreed; 0 before the
    first. `held`: what it holds open now, for whoever guards it. `orders_last_minute`: that it has sent.
    """

    SCHEMA: ClassVar[str] = "executor_reported/1"

    account: str
    mode: Literal["paper", "demo", "production"]
    epoch: int
    entries_allowed: bool
    reasons: tuple[str, ...]
    reconciled_at_ms: int
    reconciliation_clean: bool
    config_version: int
    held: tuple[LiveTradeChanged, ...]
    orders_last_minute: int
    heartbeat: int


class PositionChanged(Event, frozen=True, kw_only=True):
    """The latest state of one position; quantity is signed base units, zero when flat."""

    SCHEMA: ClassVar[str] = "position_changed/1"

    account: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    unrealised_pnl: Decimal
    protected: bool
    signal_id: str | None


class RuleMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """What a risk rule sees now, in its own unit: what would trip, and by how much. `value` None: it cannot be told, and
    `sentence` says why. `warning`, `breach`: its thresholds, None where it has none."""

    rule: str
    level: Literal["normal", "warning", "unknown", "break"]
    sentence: str
    value: Decimal | None
    warning: Decimal | None
    breach: Decimal | None


class RiskStateChanged(Event, frozen=True, kw_only=True):
    """The guard's verdict and heartbeat: entries are allowed only while a fresh record says so.

    `break_number` counts circuit breaks, and is what a reset names. `paused`: a person's word blocks entries. `locks`: symbols
    that may not be entered, each with the time (ms, UTC) until which. `measures`: of every rule, gravest first.
    """

    SCHEMA: ClassVar[str] = "risk_state_changed/1"

    account: str
    level: RiskLevel
    entries_allowed: bool
    reasons: tuple[str, ...]
    daily_pnl_r: Decimal
    heartbeat: int
    break_number: int
    paused: bool
    locks: dict[str, int]
    measures: tuple[RuleMeasure, ...]


class AlertRaised(Event, frozen=True, kw_only=True):
    """Something a person should know; the same `event_id` again is the same alert."""

    SCHEMA: ClassVar[str] = "alert_raised/1"

    severity: Literal["info", "warning", "critical"]
    source: str
    title: str
    detail: str
    runbook: str | None
