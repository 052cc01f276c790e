"""What the API hears and says of backtests."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from services.gateway.models.base import Answer
from services.gateway.models.commands import Number, SymbolName
from services.gateway.models.people import Asked
from services.gateway.models.strategy_changes import Definition

MOST_DAYS = 366
State = Literal["running", "done", "failed", "cancelled"]


def _plausible(moment: dt.datetime) -> dt.datetime:
    if not 2015 <= moment.year <= 2099:
        raise ValueError("must be a time between 2015 and 2099")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class BacktestAsked(Asked):
    """A range to replay from the tables; `end` is not included. Amounts in quote units.

    `strategies`: definitions as their files say them; empty: those that were in force.
    """

    symbols: Annotated[tuple[SymbolName, ...], Field(max_length=100)] = Field(default=(), examples=[["BTCUSDT"]])
    start: Moment = Field(examples=["2026-11-01T00:00:00Z"])
    end: Moment = Field(examples=["2026-11-08T00:00:00Z"])
    strategies: Annotated[tuple[Definition, ...], Field(max_length=10)] = ()
    view: Literal["as-seen", "repaired"] = "as-seen"
    warm_up_hours: float = Field(default=36, strict=True, ge=0, le=240, allow_inf_nan=False)
    allow_gaps: bool = Field(default=False, strict=True)
    ideal: bool = Field(default=False, strict=True, description="Without fees, slippage, latency, funding and filters")
    risk_per_trade: Number = "100"
    starting_balance: Number = "10000"
    max_positions: int = Field(default=4, strict=True, ge=1, le=100)

    @model_validator(mode="after")
    def _span(self) -> "BacktestAsked":
        if not dt.timedelta(0) < self.end - self.start <= dt.timedelta(days=MOST_DAYS):
            raise ValueError(f"the range must end after it begins, and span {MOST_DAYS} days at most")
        return self


class BacktestAnswer(Answer):
    """A run. `done`: a share of what is to be read, 0 to 1. `detail`: why it failed."""

    backtest_id: str = Field(examples=["20261129-205500-3f9c2a"])
    state: State
    phase: str = Field(examples=["reading"])
    done: float = Field(examples=[0.42])
    started_ms: int = Field(examples=[1_796_000_000_000])
    ended_ms: int | None = Field(examples=[1_796_000_060_000])
    started_by: str = Field(examples=["anna"])
    detail: str | None = Field(examples=["perpstream: there are no trades in this range"])
    request: dict[str, Any] = Field(examples=[{"symbols": ["BTCUSDT"], "start": "2026-11-01T00:00:00Z"}])


class Backtests(Answer):
    """The newest first."""

    rows: tuple[BacktestAnswer, ...]
