"""What the API says of profit, with examples: closed trades by one of their sides, in quote units and R."""

from typing import Literal

from pydantic import Field

from services.gateway.models.base import Answer, Money

Side = Literal["day", "week", "month", "strategy", "symbol", "reason"]
Books = Literal["live", "paper"]


class ProfitRow(Answer):
    """Closed trades of one day, week, month, strategy, symbol or exit reason."""

    name: str = Field(examples=["2026-11-29"], description="Days like 2026-11-29, ISO weeks like 2026-W48 (UTC)")
    trades: int = Field(examples=[4])
    won: int = Field(examples=[3])
    net: Money = Field(
        examples=["12.80"], description="On paper gross - fees - slippage - funding, live gross - fees - funding"
    )
    gross: Money = Field(examples=["20.10"])
    fees: Money = Field(examples=["7.30"])
    slippage: Money | None = Field(examples=[None], description="Of paper; live it is in the prices")
    funding: Money = Field(examples=["0"])
    net_r: float | None = Field(examples=[1.28])
    slippage_bps: float | None = Field(examples=[0.4], description="Of live: the mean of entries against their signals")
    fees_unvalued: int = Field(examples=[0], description="Fills whose fee in another asset is missing in fees and net")


class Profit(Answer):
    """Profit by one side, in its order, and all of it."""

    by: Side = Field(examples=["day"])
    books: Books = Field(examples=["live"])
    account: str | None = Field(examples=["main"], description="Of live books")
    rows: tuple[ProfitRow, ...]
    total: ProfitRow
