"""What the API says, as pydantic models with examples. Money is decimal text, times are integer milliseconds since the epoch."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

INTERVALS: dict[str, int] = {
    "1s": 1_000,
    "5s": 5_000,
    "15s": 15_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}
Interval = Literal["1s", "5s", "15s", "1m", "3m", "5m", "15m", "30m", "1h", "4h", "1d"]


LiquidationLength = Literal["1m", "5m", "1h"]


class Answer(BaseModel):
    """Base of every answer: immutable, documented, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Component(Answer):
    """One part that the gateway needs."""

    ok: bool
    detail: str = Field(examples=["PostgreSQL 18.6"])


class Health(Answer):
    """Whether the installation answers; "degraded" names what does not."""

    status: Literal["ok", "degraded"]
    version: str = Field(examples=["0.1.0"])
    components: dict[str, Component]


class RateAnswer(Answer):
    """Mark and index price and the running funding estimate of one perpetual."""

    symbol: str = Field(examples=["BTCUSDT"])
    mark_price: Decimal = Field(examples=["60001.12345678"])
    index_price: Decimal = Field(examples=["60003.50000000"])
    funding_rate: Decimal | None = Field(examples=["0.00010000"], description="Estimate for the running interval")
    next_funding_time_ms: int = Field(examples=[1_723_104_000_000])
    event_time_ms: int = Field(examples=[1_723_075_200_000], description="Venue time of the values")
    source: Literal["live", "stored"] = Field(
        description="live: newest on the topic; stored: newest row in the database"
    )


class Rates(Answer):
    """The followed symbols' rates; symbols of which nothing is known yet are named in `missing`."""

    rates: tuple[RateAnswer, ...]
    missing: tuple[str, ...] = ()


class TradesOfSymbol(Answer):
    """What the database holds of one symbol's aggregate trades."""

    symbol: str = Field(examples=["BTCUSDT"])
    first_id: int | None = Field(examples=[2_274_000_001])
    last_id: int | None = Field(examples=[2_274_150_000])
    row_count: int = Field(examples=[149_990])
    first_time_ms: int | None = Field(examples=[1_723_075_199_012])
    last_time_ms: int | None = Field(examples=[1_723_078_799_907])
    missing_count: int = Field(examples=[10], description="Aggregate ids published as a hole and not filled")
    late_count: int = Field(examples=[0], description="Trades that came at or below the watermark")
    conflict_count: int = Field(examples=[0], description="Rows set aside: a known id with other content")


class TradesMeta(Answer):
    """Per symbol, in name order."""

    symbols: tuple[TradesOfSymbol, ...]


class CandleAnswer(Answer):
    """One interval that had trades."""

    open_time_ms: int = Field(examples=[1_723_075_200_000])
    open: Decimal = Field(examples=["60000.10"])
    high: Decimal = Field(examples=["60010.00"])
    low: Decimal = Field(examples=["59990.50"])
    close: Decimal = Field(examples=["60005.00"])
    volume: Decimal = Field(examples=["12.345"], description="Base units")


class Candles(Answer):
    """Candles from aggregate trades, oldest first; intervals without trades are left out."""

    symbol: str = Field(examples=["BTCUSDT"])
    interval: Interval = Field(examples=["1m"])
    candles: tuple[CandleAnswer, ...]


class SummaryRow(CandleAnswer):
    """A candle with its flows."""

    quote_volume: Decimal = Field(examples=["740740.50"])
    buy_volume: Decimal = Field(examples=["7.000"], description="Base units bought by takers")
    sell_volume: Decimal = Field(examples=["5.345"], description="Base units sold by takers")
    vwap: Decimal = Field(examples=["60003.28"], description="Quote volume by volume, 12 significant digits")
    agg_trades: int = Field(examples=[420])
    trades: int = Field(examples=[812])


class TradesSummary(Answer):
    """Open, high, low, close, volume and flows per interval, oldest first."""

    symbol: str = Field(examples=["BTCUSDT"])
    interval: Interval = Field(examples=["1m"])
    rows: tuple[SummaryRow, ...]


class LiquidationWindow(Answer):
    """Forced orders of one window, as far as the venue told them: at most the largest per symbol and second."""

    open_time_ms: int = Field(examples=[1_723_075_200_000])
    long_count: int = Field(examples=[3], description="Forced sales of longs, a lower bound")
    long_quantity: Decimal = Field(examples=["1.204"], description="Base units, a lower bound")
    long_notional: Decimal = Field(examples=["72240.12"], description="Quote units at average prices, a lower bound")
    short_count: int = Field(examples=[0], description="Forced purchases of shorts, a lower bound")
    short_quantity: Decimal = Field(examples=["0"], description="Base units, a lower bound")
    short_notional: Decimal = Field(examples=["0"], description="Quote units at average prices, a lower bound")


class Liquidations(Answer):
    """Liquidations by window, oldest first; windows without any are left out. All numbers are lower bounds: the venue samples."""

    symbol: str = Field(examples=["BTCUSDT"])
    window: LiquidationLength = Field(examples=["5m"])
    sampled: Literal[True] = Field(
        default=True, description="Always true: the venue tells at most the largest forced order per symbol and second"
    )
    windows: tuple[LiquidationWindow, ...]


class SignalAnswer(Answer):
    """One scored evaluation in its terminal state, with everything that led to it in `content`."""

    event_id: str = Field(examples=["5b0c0f5e0a7c4f0e8d21"])
    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[1])
    symbol: str = Field(examples=["BTCUSDT"])
    event_time_ms: int = Field(examples=[1_723_075_215_000])
    score: float = Field(examples=[81.5])
    threshold: float = Field(examples=[75.0])
    direction: str = Field(examples=["long"])
    state: str = Field(examples=["emitted"])
    reason: str | None = Field(examples=[None])
    sentence: str = Field(examples=["long: CVD rises in all three windows, price above VWAP"])
    price: Decimal = Field(examples=["60000.10"])
    atr: Decimal | None = Field(examples=["120.5"])
    take_profit_1: Decimal | None = Field(examples=["60090.47"])
    take_profit_2: Decimal | None = Field(examples=["60180.85"])
    stop_loss: Decimal | None = Field(examples=["59909.73"])
    hold_until_ms: int | None = Field(examples=[1_723_079_415_000])
    content: dict[str, Any] = Field(examples=[{"contributions": [{"factor": "cvd", "contribution": 31.5}]}])


class SignalPage(Answer):
    """Signals, newest first; `next_cursor` fetches the following page and is null on the last."""

    signals: tuple[SignalAnswer, ...]
    next_cursor: str | None = Field(examples=["MTcyMzA3NTIxNTAwMDo1YjBjMGY1ZQ"])


class FeedAnswer(Answer):
    """The last report of one feed of one symbol; times are the venue's."""

    feed: str = Field(examples=["trades"])
    symbol: str = Field(examples=["BTCUSDT"])
    state: str = Field(
        examples=["live"], description="starting, live, silent, stale, halted or down; docs/market-data.md"
    )
    live: bool = Field(examples=[True], description="Whether it delivers what the venue has")
    since_ms: int | None = Field(examples=[1_723_075_200_000], description="Since when the state holds")
    detail: str = Field(examples=[""])
    reported_ms: int = Field(
        examples=[1_723_078_800_000], description="When this was reported; older: nobody reports any more"
    )
    last_event_ms: int | None = Field(examples=[1_723_078_799_907])
    events_per_second: float | None = Field(examples=[42.7], description="Of venue time, since the report before")
    delay_ms: float | None = Field(examples=[18.3], description="Venue's event time to us, clock offset taken out")
    clock_offset_ms: float | None = Field(examples=[-3.0], description="Our clock less the venue's")
    gaps_open: int = Field(examples=[0], description="Gaps that are being filled")
    gaps_filled: int = Field(examples=[2])
    completeness_1h_ppm: int | None = Field(examples=[1_000_000], description="Parts per million of aggregate ids")
    completeness_24h_ppm: int | None = Field(examples=[999_998], description="Parts per million of aggregate ids")
    lost_24h: int | None = Field(
        examples=[0],
        description="Aggregate ids of the last 24 hours that could not be had; null for other feeds than trades",
    )


class Feeds(Answer):
    """By feed and symbol."""

    feeds: tuple[FeedAnswer, ...]


class GapAnswer(Answer):
    """Aggregate ids (both inclusive) that a trade stream did not bring."""

    symbol: str = Field(examples=["BTCUSDT"])
    first_missing_id: int = Field(examples=[2_274_000_201])
    last_missing_id: int = Field(examples=[2_274_000_210])
    from_ms: int = Field(examples=[1_723_075_200_000], description="The known trade before it")
    to_ms: int = Field(examples=[1_723_075_201_000], description="The known trade after it")
    cause: str = Field(examples=["disconnected"])
    outcome: str = Field(examples=["filled"], description="open, filled, never_existed or lost")
    hole: bool = Field(
        examples=[False], description="Published as missing: every replay of the timeline lacks these ids"
    )
    found_ms: int | None = Field(examples=[1_723_075_201_040])
    closed_ms: int | None = Field(examples=[1_723_075_201_300])
    unfilled: int = Field(examples=[0], description="Ids of a filled gap that have holes of their own")


class GapPage(Answer):
    """Gaps, those that begin last first; `next_cursor` fetches the following page and is null on the last."""

    gaps: tuple[GapAnswer, ...]
    next_cursor: str | None = Field(examples=["MTcyMzA3NTIwMDAwMDpCVENVU0RUL"])


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["DOGEUSDT is unknown here; known symbols: BTCUSDT, ETHUSDT"])
    instance: str = Field(examples=["/api/kline"])
