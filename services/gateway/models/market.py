"""What the API says of rates and liquidations, with examples."""

from typing import Any, Literal

from pydantic import Field

from services.gateway.models.base import Answer, LiquidationLength, Money


class RateAnswer(Answer):
    """Mark and index price and the running funding estimate of one perpetual."""

    symbol: str = Field(examples=["BTCUSDT"])
    mark_price: Money = Field(examples=["60001.12345678"])
    index_price: Money = Field(examples=["60003.50000000"])
    funding_rate: Money | None = Field(examples=["0.00010000"], description="Estimate for the running interval")
    next_funding_time_ms: int = Field(examples=[1_723_104_000_000])
    event_time_ms: int = Field(examples=[1_723_075_200_000], description="Venue time of the values")
    source: Literal["live", "stored"] = Field(
        description="live: newest on the topic; stored: newest row in the database"
    )


class Rates(Answer):
    """The followed symbols' rates; symbols of which nothing is known yet are named in `missing`."""

    rates: tuple[RateAnswer, ...]
    missing: tuple[str, ...] = ()


class LiquidationWindow(Answer):
    """Forced orders of one window, as far as the venue told them: at most the largest per symbol and second."""

    open_time_ms: int = Field(examples=[1_723_075_200_000])
    long_count: int = Field(examples=[3], description="Forced sales of longs, a lower bound")
    long_quantity: Money = Field(examples=["1.204"], description="Base units, a lower bound")
    long_notional: Money = Field(examples=["72240.12"], description="Quote units at average prices, a lower bound")
    short_count: int = Field(examples=[0], description="Forced purchases of shorts, a lower bound")
    short_quantity: Money = Field(examples=["0"], description="Base units, a lower bound")
    short_notional: Money = Field(examples=["0"], description="Quote units at average prices, a lower bound")


class Liquidations(Answer):
    """Liquidations by window, oldest first; windows without any are left out. All numbers are lower bounds: the venue samples."""

    symbol: str = Field(examples=["BTCUSDT"])
    window: LiquidationLength = Field(examples=["5m"])
    sampled: Literal[True] = Field(
        default=True, description="Always true: the venue tells at most the largest forced order per symbol and second"
    )
    windows: tuple[LiquidationWindow, ...]


class SnapshotAnswer(Answer):
    """Mark and index price of an instant, the first of each two seconds."""

    symbol: str = Field(examples=["BTCUSDT"])
    event_time_ms: int = Field(examples=[1_723_075_200_000])
    mark_price: Money = Field(examples=["60001.12345678"])
    index_price: Money = Field(examples=["60003.50000000"])
    basis_percent: Money | None = Field(examples=["-0.0040"], description="(mark - index) / index * 100")
    funding_rate: Money | None = Field(examples=["0.00010000"], description="Estimate for the running interval")
    next_funding_time_ms: int = Field(examples=[1_723_104_000_000])


class SnapshotPage(Answer):
    """Snapshots, newest first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[SnapshotAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3MjMwNzUyMDAwMDAwMDBd"])


class FeatureAnswer(Answer):
    """The features of a symbol at one evaluation, as of trades before it. CVD in base units, prices in quote units; coverage is
    the known share of a window, 0 to 1."""

    symbol: str = Field(examples=["BTCUSDT"])
    event_time_ms: int = Field(examples=[1_723_075_215_000])
    price: Money | None = Field(examples=["60000.10"])
    cvd_5m: Money | None = Field(examples=["12.5"])
    cvd_30m: Money | None = Field(examples=["40.1"])
    cvd_4h: Money | None = Field(examples=["-210.9"])
    vwap_5m: Money | None = Field(examples=["59998.7"])
    vwap_30m: Money | None = Field(examples=["59980.2"])
    vwap_4h: Money | None = Field(examples=["59900.9"])
    coverage_5m: float | None = Field(examples=[1.0])
    coverage_30m: float | None = Field(examples=[1.0])
    coverage_4h: float | None = Field(examples=[0.82])
    large_p95: Money | None = Field(examples=["90000"], description="Notional of a large trade, 95th percentile")
    large_p99: Money | None = Field(examples=["250000"])
    atr: Money | None = Field(examples=["120.5"], description="Wilder's ATR(14) of 5-minute candles")
    atr_percentile: float | None = Field(examples=[0.61])
    last_agg_id: int = Field(examples=[2_274_000_201])
    trades_late: int = Field(examples=[0])
    trades_missing: int = Field(examples=[0])
    slow_inputs: list[dict[str, Any]] | None = Field(
        examples=[[{"name": "open_interest", "value": "81234.5", "as_of_ms": 1_723_075_200_000, "age_ms": 15_000}]]
    )
    scores: list[dict[str, Any]] | None = Field(
        examples=[[{"strategy": "v51", "version": 1, "score": 41.2, "threshold": 75.0, "direction": "long"}]]
    )


class FeaturePage(Answer):
    """Evaluations, newest first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[FeatureAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3MjMwNzUyMTUwMDAwMDBd"])


class SlowInputAnswer(Answer):
    """A slow input: open interest, long/short ratios, the Coinbase premium, settled funding."""

    event_id: str = Field(examples=["oi-BTCUSDT-1723075200000"])
    symbol: str = Field(examples=["BTCUSDT"])
    kind: str = Field(examples=["open_interest"])
    period: str | None = Field(examples=["5m"])
    event_time_ms: int = Field(examples=[1_723_075_200_000], description="The instant that it describes")
    values: dict[str, Any] = Field(examples=[{"open_interest": "81234.567"}])
    source: str = Field(examples=["binance"])
    available_at_ms: int | None = Field(examples=[1_723_075_200_412], description="From when on we had it")
    availability_assumed: bool = Field(
        examples=[False], description="Fetched as history: the instant plus a usual delay"
    )


class SlowInputPage(Answer):
    """Slow inputs, newest first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[SlowInputAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3MjMwNzUyMDAwMDAwMDAsIm9pLTEiXQ"])


class ForcedOrderAnswer(Answer):
    """A forced order that the venue told; it tells at most the largest per symbol and second."""

    event_id: str = Field(examples=["a3b1c5"])
    symbol: str = Field(examples=["BTCUSDT"])
    side: Literal["BUY", "SELL"] = Field(examples=["SELL"])
    liquidated: Literal["long", "short"] = Field(examples=["long"])
    trade_time_ms: int = Field(examples=[1_723_075_200_120])
    quantity: Money = Field(examples=["0.204"], description="Base units")
    average_price: Money = Field(examples=["59990.10"])
    order_price: Money = Field(examples=["59980.00"])
    notional: Money = Field(examples=["12237.98"], description="Quote units at the average price")
    status: str = Field(examples=["FILLED"])


class ForcedOrderPage(Answer):
    """Forced orders, newest first; `next_cursor` fetches the following page and is null on the last."""

    sampled: Literal[True] = Field(default=True, description="Always true: what is here is a lower bound")
    rows: tuple[ForcedOrderAnswer, ...]
    next_cursor: str | None = Field(examples=["WzE3MjMwNzUyMDAxMjAwMDAsImEzYjFjNSJd"])
