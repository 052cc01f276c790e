"""What the API says of paper trading, with examples. Money in quote units; R is the risk of a trade, fixed at its entry."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.models.base import Answer, Money

PaperTradeState = Literal["ordered", "open", "closed", "not_taken", "abandoned"]


class PaperAccountAnswer(Answer):
    """The account of a strategy; `…_today`: of trades that closed on the UTC day of `market_time_ms`, whole trades each."""

    strategy: str = Field(examples=["v51"])
    starting_balance: Money = Field(examples=["10000"])
    risk_per_trade: Money = Field(examples=["100"])
    balance: Money = Field(examples=["10182.40"])
    unrealised: Money = Field(examples=["-12.30"])
    equity: Money = Field(examples=["10170.10"])
    open_positions: int = Field(examples=[1])
    level: str = Field(examples=["normal"], description="normal, warning or circuit_break")
    day_over: bool = Field(examples=[False], description="The day's loss limit was reached")
    market_time_ms: int = Field(examples=[1_723_075_215_000])
    day_realised: Money = Field(
        examples=["41.20"], description="What the limits of the day count: also what open trades have realised by parts"
    )
    closed_today: int = Field(examples=[3])
    won_today: int = Field(examples=[2])
    net_today: Money = Field(examples=["36.20"])
    net_r_today: float = Field(examples=[0.36])


class PaperSummary(Answer):
    """Every account, by strategy."""

    accounts: tuple[PaperAccountAnswer, ...]


class PaperPosition(Answer):
    """A trade that is ordered or open. Distances are from the last price to a level, in percent of the price."""

    trade_id: str = Field(examples=["7d1c9f"])
    signal_id: str = Field(examples=["5b0c0f5e"])
    strategy: str = Field(examples=["v51"])
    symbol: str = Field(examples=["BTCUSDT"])
    direction: str | None = Field(examples=["long"])
    state: PaperTradeState = Field(examples=["open"])
    entry_time_ms: int | None = Field(examples=[1_723_075_215_120])
    entry_price: Money | None = Field(examples=["60000.10"])
    quantity: Money | None = Field(examples=["0.830"])
    quantity_left: Money | None = Field(examples=["0.415"])
    stop_loss: Money | None = Field(examples=["59909.73"], description="As it was at the entry")
    stop_now: Money | None = Field(examples=["60012.00"])
    take_profit_1: Money | None = Field(examples=["60090.47"])
    take_profit_2: Money | None = Field(examples=["60180.85"])
    risk: Money | None = Field(examples=["100.00"], description="1 R")
    net: Money | None = Field(examples=["36.20"], description="Realised so far, costs included")
    price: Money | None = Field(examples=["60050.00"], description="The last trade's at `market_time_ms`")
    unrealised: Money | None = Field(examples=["20.70"])
    unrealised_r: float | None = Field(examples=[0.207])
    stop_distance_percent: float | None = Field(examples=[-0.0633])
    target_distance_percent: float | None = Field(examples=[0.2179], description="To the next take-profit")
    hold_until_ms: int | None = Field(examples=[1_723_079_415_000])
    market_time_ms: int = Field(examples=[1_723_077_000_000])


class PaperPositions(Answer):
    """What is ordered and open, by strategy and symbol."""

    rows: tuple[PaperPosition, ...]


class PaperTradeAnswer(Answer):
    """What became of a signal on paper; what never came to be is null. net = gross - fees - slippage - funding."""

    trade_id: str = Field(examples=["7d1c9f"])
    signal_id: str = Field(examples=["5b0c0f5e"])
    strategy: str = Field(examples=["v51"])
    version: int | None = Field(examples=[1])
    symbol: str = Field(examples=["BTCUSDT"])
    direction: str | None = Field(examples=["long"])
    state: PaperTradeState = Field(examples=["closed"])
    reason: str | None = Field(examples=["take_profit_2"], description="Of the exit, or why it was not taken")
    score: float | None = Field(examples=[81.5])
    signal_time_ms: int | None = Field(examples=[1_723_075_215_000])
    signal_price: Money | None = Field(examples=["60000.10"])
    order_time_ms: int | None = Field(examples=[1_723_075_215_250])
    entry_time_ms: int | None = Field(examples=[1_723_075_215_500])
    exit_time_ms: int | None = Field(examples=[1_723_077_915_500])
    hold_until_ms: int | None = Field(examples=[1_723_079_415_000])
    entry_price: Money | None = Field(examples=["60001.30"])
    exit_price: Money | None = Field(examples=["60135.70"], description="Average of the exits")
    quantity: Money | None = Field(examples=["0.830"])
    quantity_left: Money | None = Field(examples=["0"])
    stop_loss: Money | None = Field(examples=["59909.73"])
    stop_now: Money | None = Field(examples=["60012.00"])
    take_profit_1: Money | None = Field(examples=["60090.47"])
    take_profit_2: Money | None = Field(examples=["60180.85"])
    risk: Money | None = Field(examples=["100.00"])
    gross: Money | None = Field(examples=["111.55"])
    fees: Money | None = Field(examples=["34.90"])
    slippage: Money | None = Field(examples=["4.10"])
    signal_slippage: Money | None = Field(examples=["0.99"], description="The entry against the signal's price")
    funding: Money | None = Field(examples=["0"])
    net: Money | None = Field(examples=["72.55"])
    net_r: float | None = Field(examples=[0.7255])
    adverse_r: float | None = Field(examples=[-0.31], description="The worst that it was in between")
    favourable_r: float | None = Field(examples=[1.92])
    price: Money | None = Field(examples=["60135.70"])
    unrealised: Money | None = Field(examples=["0"])
    fills: list[dict[str, Any]] = Field(
        examples=[[{"reason": "entry", "time_ms": 1_723_075_215_500, "price": "60001.30"}]]
    )
    history: list[dict[str, Any]] = Field(examples=[[{"state": "ordered", "time_ms": 1_723_075_215_250}]])
    market_time_ms: int = Field(examples=[1_723_077_915_500])


class PaperTradePage(Answer):
    """Trades, those that were recorded last first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[PaperTradeAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3MjMwNzUyMTUwMDAwMDAsIjdkMWM5ZiJd"])


class PaperPoint(Answer):
    """A point of a strategy's curve."""

    strategy: str = Field(examples=["v51"])
    event_time_ms: int = Field(examples=[1_723_075_260_000])
    equity: float = Field(examples=[10170.1])
    open_positions: int = Field(examples=[1])
    exposure: float = Field(examples=[24_900.0], description="The notional that was held")


class PaperCurve(Answer):
    """Points by strategy and time, the last of each step."""

    from_ms: int = Field(examples=[1_722_470_400_000])
    to_ms: int = Field(examples=[1_723_075_260_000])
    step_ms: int = Field(examples=[1_260_000])
    rows: tuple[PaperPoint, ...]


class PaperStatisticsAnswer(Answer):
    """How good a strategy's closed trades were; what needs trades that are not there is null."""

    strategy: str = Field(examples=["v51"])
    trades: int = Field(examples=[84])
    won: int = Field(examples=[47])
    lost: int = Field(examples=[37])
    win_rate: float | None = Field(examples=[0.5595])
    gains: Money = Field(examples=["3120.40"])
    losses: Money = Field(examples=["2410.10"])
    profit_factor: float | None = Field(examples=[1.2947], description="Gains by losses")
    net: Money = Field(examples=["710.30"])
    fees: Money = Field(examples=["402.11"])
    slippage: Money = Field(examples=["88.20"])
    funding: Money = Field(examples=["3.40"])
    net_r: float | None = Field(examples=[7.103])
    mean_r: float | None = Field(examples=[0.0846])
    best_r: float | None = Field(examples=[2.1])
    worst_r: float | None = Field(examples=[-1.14])
    mean_adverse_r: float | None = Field(examples=[-0.44])
    mean_favourable_r: float | None = Field(examples=[0.83])
    mean_hold_ms: int | None = Field(examples=[1_412_000])
    deepest_fall: Money = Field(examples=["420.00"], description="Of what was made, from its peak")


class PaperStats(Answer):
    """Strategies with closed trades in the span, by name."""

    rows: tuple[PaperStatisticsAnswer, ...]
