"""What the API says of live trading, with examples. Money in quote units; R is the risk of a trade, fixed at its entry."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.models.base import Answer, Money

LiveTradeState = Literal["entering", "open", "closing", "closed", "refused", "not_entered"]


class LiveConfigAnswer(Answer):
    """What may trade on an account, and who said so; version 0 is as shipped: no strategy trades."""

    account: str = Field(examples=["main"])
    version: int = Field(examples=[7])
    document: dict[str, Any] = Field(examples=[{"strategies": ["v51"], "risk_per_trade": "10", "max_positions": 3}])
    changed_by: str | None = Field(examples=["anna"])
    reason: str | None = Field(examples=["smaller while I travel"])
    command_id: str | None = Field(examples=["b1946ac92492d2347c62"])
    changed_at_ms: int | None = Field(examples=[1_796_000_000_000])


class LiveConfigHistory(Answer):
    """Every version of an account, newest first."""

    rows: tuple[LiveConfigAnswer, ...]


class HeartbeatAnswer(Answer):
    """Whether somebody lives: `age_ms` since the broker had the last heartbeat, one a second; silent after ten seconds."""

    heard: bool = Field(examples=[True], description="False: never since the topic begins")
    silent: bool = Field(examples=[False])
    age_ms: int | None = Field(examples=[412])


class LiveSummary(Answer):
    """An account in one look: what allows or blocks entries, what is open, and the UTC day's closed trades."""

    account: str = Field(examples=["main"])
    mode: str | None = Field(examples=["demo"], description="paper, demo or production; null: the executor is unheard")
    executor: HeartbeatAnswer
    guard: HeartbeatAnswer
    entries_allowed: bool = Field(examples=[True], description="Both allow them, and neither is silent")
    reasons: tuple[str, ...] = Field(examples=[[]], description="What keeps it from opening anything")
    level: str | None = Field(examples=["normal"], description="normal, warning or circuit_break, as the guard says")
    config_version: int | None = Field(examples=[7])
    reconciled_at_ms: int | None = Field(examples=[1_796_000_000_000])
    reconciliation_clean: bool | None = Field(examples=[True])
    open_trades: int = Field(examples=[2])
    unrealised_quote: Money | None = Field(examples=["-3.20"], description="Of positions, as they were last told")
    day: str = Field(examples=["2026-11-29"])
    closed_today: int = Field(examples=[4])
    won_today: int = Field(examples=[3])
    net_today: Money = Field(examples=["12.80"])
    net_r_today: float | None = Field(
        examples=[1.28], description="Of the same trades as net_today; null: the risk of one of them is not known"
    )


class StatedAnswer(Answer):
    """Lines of one kind in the venue's statement of the span, in units of their asset."""

    kind: str = Field(examples=["REALIZED_PNL"])
    asset: str = Field(examples=["USDT"])
    amount: Money = Field(examples=["12.80"])
    lines: int = Field(examples=[8])
    last_at_ms: int = Field(examples=[1_796_000_000_000])


class LiveBalance(Answer):
    """The balance as the guard last measured it, what is unrealised, and what the venue's statement says moved it today (UTC)."""

    account: str = Field(examples=["main"])
    balance: Money | None = Field(examples=["5012.80"], description="USDT in the wallet; null: nobody has measured it")
    unrealised: Money | None = Field(examples=["-3.20"])
    equity: Money | None = Field(examples=["5009.60"])
    measured: HeartbeatAnswer
    statement_from_ms: int | None = Field(examples=[1_795_900_000_000])
    statement_until_ms: int | None = Field(examples=[1_796_000_000_000], description="Up to when every line is known")
    stated_today: tuple[StatedAnswer, ...]


class LivePosition(Answer):
    """A position at the venue as the executor last told it, beside the trade that it belongs to."""

    account: str = Field(examples=["main"])
    symbol: str = Field(examples=["BTCUSDT"])
    quantity: Money = Field(examples=["0.050"], description="Base units, below 0: short")
    entry_price: Money | None = Field(examples=["60000.10"])
    mark_price: Money | None = Field(examples=["60050.00"], description="As it was told")
    unrealised: Money = Field(examples=["2.50"])
    protected: bool = Field(examples=[True], description="A stop stands at the venue")
    told_at_ms: int = Field(examples=[1_796_000_000_000])
    trade_id: str | None = Field(examples=["7d1c9f"])
    strategy: str | None = Field(examples=["v51"])
    state: LiveTradeState | None = Field(examples=["open"])
    stop: Money | None = Field(examples=["59909.73"])
    take_profit_1: Money | None = Field(examples=["60090.47"])
    take_profit_2: Money | None = Field(examples=["60180.85"])
    initial_risk: Money | None = Field(examples=["10.00"])
    unrealised_r: float | None = Field(examples=[0.25])
    hold_until_ms: int | None = Field(examples=[1_796_004_200_000])


class LivePositions(Answer):
    """Positions that are not flat, by symbol."""

    rows: tuple[LivePosition, ...]


class LiveTradeAnswer(Answer):
    """What became of a signal on an account. pnl_quote = gross - fees - funding paid."""

    account: str = Field(examples=["main"])
    trade_id: str = Field(examples=["7d1c9f"])
    signal_id: str | None = Field(examples=["5b0c0f5e"])
    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[1])
    symbol: str = Field(examples=["BTCUSDT"])
    direction: Literal["long", "short"] = Field(examples=["long"])
    origin: str = Field(examples=["signal"], description="signal, command or adopted")
    state: LiveTradeState = Field(examples=["closed"])
    reason: str | None = Field(examples=[None], description="Why it was refused or not entered")
    exit_reason: str | None = Field(examples=["take_profit_2"])
    signal_time_ms: int | None = Field(examples=[1_796_000_000_000])
    decided_time_ms: int | None = Field(examples=[1_796_000_000_010])
    sent_time_ms: int | None = Field(examples=[1_796_000_000_018])
    answered_time_ms: int | None = Field(examples=[1_796_000_000_040])
    entry_time_ms: int | None = Field(examples=[1_796_000_000_044])
    stop_sent_time_ms: int | None = Field(examples=[1_796_000_000_052])
    protected_time_ms: int | None = Field(examples=[1_796_000_000_090])
    targets_time_ms: int | None = Field(examples=[1_796_000_000_150])
    exit_time_ms: int | None = Field(examples=[1_796_002_000_000])
    hold_until_ms: int | None = Field(examples=[1_796_004_200_000])
    signal_price: Money | None = Field(examples=["60000.10"])
    entry_price: Money | None = Field(examples=["60001.30"])
    exit_price: Money | None = Field(examples=["60135.70"])
    stop: Money | None = Field(examples=["59909.73"])
    take_profit_1: Money | None = Field(examples=["60090.47"])
    take_profit_2: Money | None = Field(examples=["60180.85"])
    quantity: Money = Field(examples=["0.083"])
    quantity_left: Money = Field(examples=["0"])
    gross: Money = Field(examples=["11.16"])
    fees: Money = Field(examples=["3.49"])
    funding: Money = Field(examples=["0"])
    pnl_quote: Money = Field(examples=["7.67"])
    fees_unvalued: int = Field(examples=[0], description="Fills whose fee in another asset has no value yet")
    slippage_bps: Money | None = Field(examples=["0.20"], description="The entry against the signal; above 0: worse")
    pnl_r: Money | None = Field(examples=["0.767"])
    risk: Money | None = Field(examples=["10.00"])
    initial_risk: Money | None = Field(examples=["10.00"], description="1 R")
    recorded_at_ms: int = Field(examples=[1_796_000_000_012])
    updated_at_ms: int = Field(examples=[1_796_002_000_100])
    history: list[dict[str, Any]] | None = Field(examples=[[{"state": "entering", "time_ms": 1_796_000_000_010}]])


class LiveTradePage(Answer):
    """Trades, those begun last first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[LiveTradeAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3OTYwMDAwMDAwMTIwMDAsIjdkMWM5ZiJd"])


class LiveOrderAnswer(Answer):
    """An order of ours from its intent on; `quantity` null: it closes the whole position."""

    account: str = Field(examples=["main"])
    client_order_id: str = Field(examples=["p1-main-3f9c-7d1c9f-stop-0"])
    trade_id: str = Field(examples=["7d1c9f"])
    symbol: str = Field(examples=["BTCUSDT"])
    leg: str = Field(examples=["stop"])
    generation: int = Field(examples=[0])
    side: str = Field(examples=["SELL"])
    status: str = Field(examples=["new"])
    quantity: Money | None = Field(examples=[None])
    price: Money | None = Field(examples=[None])
    trigger_price: Money | None = Field(examples=["59909.73"])
    executed: Money = Field(examples=["0"])
    reduce_only: bool = Field(examples=[True])
    venue_id: int | None = Field(examples=[8_389_765_001])
    order_id: int | None = Field(examples=[None], description="Of the order that a conditional one became")
    reason: str | None = Field(examples=[None])
    intended_at_ms: int | None = Field(examples=[1_796_000_000_050])
    valid_until_ms: int | None = Field(examples=[1_796_000_005_050])
    changed_at_ms: int | None = Field(examples=[1_796_000_000_090])


class LiveOrderPage(Answer):
    """Orders, those meant last first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[LiveOrderAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3OTYwMDAwMDAwNTAwMDAsInAxLW1haW4iXQ"])


class LiveFillAnswer(Answer):
    """A fill of a trade, whoever sent its order; `fee_quote`: the fee's value at the fill."""

    symbol: str = Field(examples=["BTCUSDT"])
    venue_trade_id: int = Field(examples=[412_345_678])
    trade_id: str = Field(examples=["7d1c9f"])
    order_id: int = Field(examples=[8_389_765_000])
    client_order_id: str = Field(examples=["p1-main-3f9c-7d1c9f-entry-0"])
    filled_by: str = Field(examples=["executor"])
    leg: str | None = Field(examples=["entry"])
    side: str = Field(examples=["BUY"])
    price: Money = Field(examples=["60001.30"])
    quantity: Money = Field(examples=["0.083"])
    fee: Money = Field(examples=["1.74"])
    fee_asset: str = Field(examples=["USDT"])
    fee_quote: Money | None = Field(examples=["1.74"])
    realised: Money = Field(examples=["0"])
    is_maker: bool = Field(examples=[False])
    fill_time_ms: int = Field(examples=[1_796_000_000_044])


class LiveEventAnswer(Answer):
    """What happened to a trade or to the account."""

    account: str = Field(examples=["main"])
    event_id: str = Field(examples=["e0c6"])
    trade_id: str | None = Field(examples=["7d1c9f"])
    kind: str = Field(examples=["stop_placed"])
    event_time_ms: int = Field(examples=[1_796_000_000_090])
    detail: dict[str, Any] = Field(examples=[{"trigger": "59909.73"}])


class LiveEventPage(Answer):
    """Events, newest first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[LiveEventAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3OTYwMDAwMDAwOTAwMDAsImUwYzYiXQ"])


class LiveTradeStory(Answer):
    """A trade with everything that is kept of it, in the order of time."""

    trade: LiveTradeAnswer
    orders: tuple[LiveOrderAnswer, ...]
    fills: tuple[LiveFillAnswer, ...]
    events: tuple[LiveEventAnswer, ...]


class LiveCurvePoint(Answer):
    """A closed trade, and what all of the span up to it made."""

    exit_time_ms: int = Field(examples=[1_796_002_000_000])
    trade_id: str = Field(examples=["7d1c9f"])
    symbol: str = Field(examples=["BTCUSDT"])
    pnl_quote: Money = Field(examples=["7.67"])
    made: Money = Field(examples=["12.80"])
    made_r: float | None = Field(examples=[1.28])


class LiveCurve(Answer):
    """What an account's closed trades made, by their exits, oldest first."""

    account: str = Field(examples=["main"])
    rows: tuple[LiveCurvePoint, ...]
