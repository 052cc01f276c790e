"""What the API says of aggregate trades and candles, with examples."""

from typing import Literal

from pydantic import Field

from services.gateway.models.base import Answer, Interval, Money

CandleSource = Literal["trades", "rates", "klines"]


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
    open: Money = Field(examples=["60000.10"])
    high: Money = Field(examples=["60010.00"])
    low: Money = Field(examples=["59990.50"])
    close: Money = Field(examples=["60005.00"])
    volume: Money = Field(examples=["12.345"], description="Base units")


class KlineAnswer(Answer):
    """One interval; what its source does not know is null."""

    open_time_ms: int = Field(examples=[1_723_075_200_000])
    open: Money = Field(examples=["60000.10"])
    high: Money = Field(examples=["60010.00"])
    low: Money = Field(examples=["59990.50"])
    close: Money = Field(examples=["60005.00"])
    volume: Money | None = Field(examples=["12.345"], description="Base units; null of mark prices")
    cvd: Money | None = Field(
        default=None,
        examples=["-3.21"],
        description="With cvd: bought less sold by takers, summed from the first candle on",
    )
    vwap: Money | None = Field(
        default=None, examples=["60003.28"], description="With vwap: of this candle; null without trades"
    )


class Candles(Answer):
    """Candles, oldest first; intervals without trades are left out."""

    symbol: str = Field(examples=["BTCUSDT"])
    interval: Interval = Field(examples=["1m"])
    source: CandleSource = Field(examples=["trades"])
    candles: tuple[KlineAnswer, ...]


class SummaryRow(CandleAnswer):
    """A candle with its flows."""

    quote_volume: Money = Field(examples=["740740.50"])
    buy_volume: Money = Field(examples=["7.000"], description="Base units bought by takers")
    sell_volume: Money = Field(examples=["5.345"], description="Base units sold by takers")
    vwap: Money = Field(examples=["60003.28"], description="Quote volume by volume, 12 significant digits")
    agg_trades: int = Field(examples=[420])
    trades: int = Field(examples=[812])


class TradesSummary(Answer):
    """Open, high, low, close, volume and flows per interval, oldest first."""

    symbol: str = Field(examples=["BTCUSDT"])
    interval: Interval = Field(examples=["1m"])
    rows: tuple[SummaryRow, ...]
