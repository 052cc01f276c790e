"""What the API says of rates and liquidations, with examples."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from services.gateway.models.base import Answer, LiquidationLength


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
