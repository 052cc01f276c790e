"""What the API says of settled funding, with examples. Rates are shares of the notional; above 0, longs paid shorts."""

from pydantic import Field

from services.gateway.models.base import Answer, Money


class FundingOfSymbol(Answer):
    """The settlements of a symbol in the span."""

    symbol: str = Field(examples=["BTCUSDT"])
    settlements: int = Field(examples=[21])
    total: Money = Field(examples=["0.00187400"], description="What a position held through all of it paid")
    mean: Money = Field(examples=["0.00008923"])
    lowest: Money = Field(examples=["-0.00002100"])
    highest: Money = Field(examples=["0.00010000"])
    positive: int = Field(examples=[19], description="Settlements at which longs paid")
    latest: Money = Field(examples=["0.00010000"])
    annualised: Money = Field(
        examples=["0.0977"],
        description="The mean times the settlements of 365 days at the span's own pace, not compounded",
    )
    first_time_ms: int = Field(examples=[1_722_470_400_000])
    last_time_ms: int = Field(examples=[1_723_075_200_000])


class FundingStats(Answer):
    """Symbols that were settled in the span, by name; the others are named in `missing`."""

    from_ms: int = Field(examples=[1_722_470_400_000])
    to_ms: int = Field(examples=[1_723_075_200_000])
    symbols: tuple[FundingOfSymbol, ...]
    missing: tuple[str, ...] = Field(examples=[["SOLUSDT"]])


class SettlementAnswer(Answer):
    """One settlement."""

    symbol: str = Field(examples=["BTCUSDT"])
    time_ms: int = Field(examples=[1_723_075_200_000])
    rate: Money = Field(examples=["0.00010000"])


class FundingHistory(Answer):
    """Settled rates, oldest first."""

    from_ms: int = Field(examples=[1_722_470_400_000])
    to_ms: int = Field(examples=[1_723_075_200_000])
    rows: tuple[SettlementAnswer, ...]
