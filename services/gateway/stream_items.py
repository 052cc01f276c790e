"""What the items of the stream's channels have, in the words of REST: the same thing has the same name in both."""

from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.commands import CommandTarget
from libs.contracts.signals import Direction, SlowInput, StrategyScore
from libs.contracts.trading import OrderLeg, OrderStatus, RiskLevel, RuleMeasure

Side = Literal["BUY", "SELL"]


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The newest mark price. Prices in quote units; `funding_rate` of the running interval, None where it has none."""

    symbol: str
    event_time_ms: int
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal | None
    next_funding_time_ms: int


class MinuteBar(msgspec.Struct, frozen=True, kw_only=True):
    """A minute of a symbol up to its last trade. `partial`: trades of it may not have been seen. Volumes in base units;
    `buy_volume`: where the taker bought. The last aggregate trade: its id, time, quantity, and its taker's side."""

    symbol: str
    open_time_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    buy_volume: str
    agg_trades: int
    partial: bool
    last_id: int
    last_time_ms: int
    last_quantity: str
    last_side: Side


class ForcedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A forced order that the venue told; it tells at most the largest per symbol and second. `notional`: in quote units at the
    average price."""

    event_id: str
    symbol: str
    side: Side
    liquidated: Literal["long", "short"]
    trade_time_ms: int
    quantity: Decimal
    average_price: Decimal
    order_price: Decimal
    notional: Decimal
    status: str


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """The features of a symbol at one evaluation, as of trades before it. CVD in base units, prices in quote units; coverage is
    the known share of a window, 0 to 1. Large flows: what takers of large trades bought and sold in five minutes, quote units, of
    the known share `size_coverage` of the trades."""

    symbol: str
    event_time_ms: int
    price: Decimal | None
    cvd_5m: Decimal | None
    cvd_30m: Decimal | None
    cvd_4h: Decimal | None
    vwap_5m: Decimal | None
    vwap_30m: Decimal | None
    vwap_4h: Decimal | None
    coverage_5m: float | None
    coverage_30m: float | None
    coverage_4h: float | None
    large_p95: Decimal | None
    large_p99: Decimal | None
    large_buy_p95: Decimal
    large_sell_p95: Decimal
    large_buy_p99: Decimal
    large_sell_p99: Decimal
    size_coverage: float
    atr: Decimal | None
    atr_percentile: float | None
    last_agg_id: int
    trades_late: int
    trades_missing: int
    slow_inputs: tuple[SlowInput, ...]
    scores: tuple[StrategyScore, ...]


class PaperFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill of a paper trade, and what the trade is after it. `reason` of an exit; None: it was the entry. `net`: quote units,
    realised up to this fill, costs included."""

    event_id: str
    event_time_ms: int
    trade_id: str
    signal_id: str
    strategy: str
    symbol: str
    direction: Direction
    state: Literal["open", "closed"]
    reason: str | None
    fill_price: Decimal
    fill_quantity: Decimal
    net: Decimal
    net_r: float


class LiveTradeNow(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of an account in the state that it has reached. `reason`: why it was refused or not entered. `initial_risk`: 1 R,
    fixed at the entry; `pnl_quote` up to now, costs included; `slippage_bps`: the entry against the signal, above 0 is worse."""

    event_id: str
    event_time_ms: int
    account: str
    trade_id: str
    strategy: str
    symbol: str
    direction: Direction
    state: Literal["entering", "open", "closing", "closed", "refused", "not_entered"]
    reason: str | None
    exit_reason: str | None
    quantity: Decimal
    quantity_left: Decimal
    entry_time_ms: int | None
    hold_until_ms: int | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    stop: Decimal | None
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    initial_risk: Decimal | None
    pnl_quote: Decimal
    pnl_r: Decimal | None
    slippage_bps: Decimal | None


class OrderNow(msgspec.Struct, frozen=True, kw_only=True):
    """A step of an order of ours; `quantity` None: it closes the whole position."""

    event_id: str
    account: str
    client_order_id: str
    trade_id: str
    symbol: str
    leg: OrderLeg
    side: Side
    status: OrderStatus
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    executed: Decimal
    reduce_only: bool
    reason: str | None
    changed_at_ms: int


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A position at the venue as the executor has told it last; `quantity` below 0: short, 0: flat. `signal_id`: of the
    signal that it comes from."""

    event_time_ms: int
    account: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    unrealised: Decimal
    protected: bool
    signal_id: str | None


class Executor(msgspec.Struct, frozen=True, kw_only=True):
    """The executor's heartbeat; see `executor_reported/1`. `held`: what it holds open now."""

    event_time_ms: int
    account: str
    mode: Literal["paper", "demo", "production"]
    epoch: int
    entries_allowed: bool
    reasons: tuple[str, ...]
    reconciled_at_ms: int | None
    reconciliation_clean: bool
    config_version: int
    held: tuple[LiveTradeNow, ...]
    orders_last_minute: int


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """The guard's verdict; see `risk_state_changed/1`."""

    event_time_ms: int
    account: str
    level: RiskLevel
    entries_allowed: bool
    reasons: tuple[str, ...]
    daily_pnl_r: Decimal
    break_number: int
    paused: bool
    locks: dict[str, int]
    measures: tuple[RuleMeasure, ...]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """How a feed of a symbol is, as it has reported last. `live`: it delivers what the venue has; completeness in parts per
    million of aggregate ids."""

    feed: str
    symbol: str
    state: str
    live: bool
    since_ms: int | None
    detail: str
    reported_ms: int
    last_event_ms: int | None
    events_per_second: float | None
    delay_ms: float | None
    clock_offset_ms: float | None
    gaps_open: int
    gaps_filled: int
    completeness_1h_ppm: int | None
    completeness_24h_ppm: int | None


class CommandTold(msgspec.Struct, frozen=True, kw_only=True):
    """What guard or executor made of a command. `issued_by` is what the command said, which of a refused one may be anybody."""

    event_id: str
    event_time_ms: int
    command_id: str
    account: str
    target: CommandTarget
    issued_by: str
    command: str
    state: Literal["accepted", "refused"]
    result: str
    details: dict[str, str]


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gateway hears Kafka: while it does not, nothing here is news."""

    following: bool
    detail: str
