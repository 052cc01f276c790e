"""What all faults that can be asked for share, and what those of REST answers share."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.contracts.plausible import LATEST_MS
from libs.kit.durations import DAY_MS

Text503 = Literal["unknown", "unavailable", "internal", "throttled"]
Method = Literal["GET", "POST", "PUT", "DELETE"]
Executed = Literal["no", "yes", "late"]
LONGEST_MS = 366 * DAY_MS
MOST = 1_000_000_000


class Fault(BaseModel):
    """What all faults share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_ms: int | None = Field(default=None, ge=0, lt=LATEST_MS, description="Venue time of the beginning, ms")
    after_ms: int | None = Field(
        default=None, ge=0, le=LONGEST_MS, description="Beginning, ms after the request or the first start"
    )
    for_ms: int | None = Field(default=None, ge=1, le=LONGEST_MS, description="How long it lasts, ms of venue time")

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.at_ms is not None and self.after_ms is not None:
            raise ValueError("give at_ms or after_ms, not both")
        return self


class RestFault(Fault):
    """A fault of REST answers to paths that begin with one of `paths`."""

    paths: tuple[str, ...] = ("/fapi", "/futures")
    methods: tuple[Method, ...] = Field(default=(), description="None named: all")
    where: dict[str, str] = Field(
        default_factory=dict, description="Only requests with these parameters, as in {'type': 'STOP_MARKET'}"
    )
    probability: float = Field(default=1.0, gt=0, le=1)
    most: int | None = Field(default=None, ge=1, le=MOST, description="At most so many answers")


class AnswerFault(RestFault):
    """Another answer than the right one, to a request that was carried out all the same (`yes`), or is `late_ms` later."""

    executed: Executed = "no"
    late_ms: int | None = Field(default=None, ge=1, le=600_000)

    @model_validator(mode="after")
    def _how_late(self) -> Self:
        if (self.executed == "late") != (self.late_ms is not None):
            raise ValueError("late_ms belongs to executed: late, and to nothing else")
        return self
