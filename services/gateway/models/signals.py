"""What the API says of scored signals, with examples."""

from decimal import Decimal
from typing import Any

from pydantic import Field

from services.gateway.models.base import Answer


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
