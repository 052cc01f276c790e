"""What traders, guards and people say: paper trades, orders, positions, risk state, alerts and commands."""

from decimal import Decimal
from typing import ClassVar, Literal

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
OrderLeg = Literal["entry", "stop_loss", "take_profit_1", "take_profit_2", "close"]
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
    """A step in the life of one order. `client_order_id` = f(signal id, leg); quantities in base units, prices in quote units."""

    SCHEMA: ClassVar[str] = "order_changed/1"

    client_order_id: str
    signal_id: str
    leg: OrderLeg
    symbol: str
    side: Literal["BUY", "SELL"]
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    reduce_only: bool
    venue_order_id: str | None
    reason: str | None


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


class RiskStateChanged(Event, frozen=True, kw_only=True):
    """The guard's verdict and heartbeat: entries are allowed only while a fresh record says so."""

    SCHEMA: ClassVar[str] = "risk_state_changed/1"

    account: str
    level: RiskLevel
    entries_allowed: bool
    reasons: tuple[str, ...]
    daily_pnl_r: Decimal
    heartbeat: int


class AlertRaised(Event, frozen=True, kw_only=True):
    """Something a person should know; the same `event_id` again is the same alert."""

    SCHEMA: ClassVar[str] = "alert_raised/1"

    severity: Literal["info", "warning", "critical"]
    source: str
    title: str
    detail: str
    runbook: str | None


class CommandIssued(Event, frozen=True, kw_only=True):
    """A person's command to one service; `arguments` are validated by the service that obeys it."""

    SCHEMA: ClassVar[str] = "command_issued/1"

    target: str
    command: Literal[
        "flatten_all", "close_position", "move_stop", "halt_entries", "resume_entries", "reset_circuit_break"
    ]
    arguments: dict[str, str]
    issued_by: str
    reason: str
