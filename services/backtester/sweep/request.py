"""What a person asks of a sweep or a walk-forward, beside the range, the account and the costs of any backtest."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.backtester.request import BacktestRequest, RequestInvalid, wrong_value
from services.backtester.sweep.trial import FIGURES

Method = Literal["grid", "random", "optuna"]


class SweepPlan(BaseModel):
    """`count`: points that are drawn (a grid has its own number). `figure`: what the best is best in. `workers`: 0: one a core.

    Walk-forward: `train_days` and `test_days`; `anchored` windows all begin at the start, others roll.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    space: Path
    method: Method = "grid"
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    figure: str = "net_r"
    workers: Annotated[int, Field(ge=0, le=1_024)] = 0
    train_days: Annotated[float, Field(gt=0, le=3_660)] = 7
    test_days: Annotated[float, Field(gt=0, le=3_660)] = 1
    anchored: bool = False

    @model_validator(mode="after")
    def _known_figure(self) -> "SweepPlan":
        if self.figure not in FIGURES:
            raise ValueError(f"unknown figure {self.figure}; known are {', '.join(FIGURES)}")
        return self


def read_plan(values: dict[str, Any], request: BacktestRequest) -> SweepPlan:
    """The plan in these values. Raises `RequestInvalid` with the first problem, also when not exactly one strategy is given."""
    if len(request.strategies) != 1:
        raise RequestInvalid(
            f"a sweep changes one strategy, {len(request.strategies)} are given",
            where="strategies",
            todo="name one file with --strategy",
        )
    try:
        return SweepPlan.model_validate(values)
    except ValidationError as error:
        raise wrong_value(error, "plan", "sweep") from None
