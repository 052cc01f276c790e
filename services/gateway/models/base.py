"""What every answer of the API is built on, and its intervals. Money is decimal text, times are integer ms since the epoch."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

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


def plain(value: Decimal) -> str:
    """Its digits; `str` writes a small rate as "1.2E-7" and a zero as "0E-8", which many a reader of decimals refuses."""
    return f"{value:f}"


Money = Annotated[Decimal, PlainSerializer(plain, return_type=str, when_used="json-unless-none")]
"""An amount, price, quantity or rate: decimal text without an exponent."""


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


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["DOGEUSDT is unknown here; known symbols: BTCUSDT, ETHUSDT"])
    instance: str = Field(examples=["/api/kline"])
