"""What a person or a program asks of a backtest, checked at the edge: a wrong request is one line that says what to do."""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from libs.contracts.plausible import wrong_symbol
from libs.kit.errors import ConfigurationError
from libs.kit.wording import what_is_wrong
from libs.trading.costs import Costs
from libs.trading.portfolio import PortfolioRules

SourceKind = Literal["postgres", "parquet", "archive", "timeline", "recording"]
MINUTE_MS = 60_000


class RequestInvalid(ConfigurationError):
    """A request that cannot be run; exit code 2."""


class BacktestRequest(BaseModel):
    """One run. Times UTC, `end` not included; money in quote units. `path`: of the files, for sources that are files;
    `recordings`: the files of one recording.

    `strategies`: files; without any, those that the source has recorded. `warm_up_hours` are read before `start`, and their
    signals are not counted. `filters`: a file with the exchange's answer to exchangeInfo. `progress`: a file that says how far it
    is, for whoever watches from another process.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source: SourceKind = "postgres"
    path: Path | None = None
    recordings: tuple[Path, ...] = ()
    view: Literal["as-seen", "repaired"] = "as-seen"
    symbols: tuple[str, ...] = ()
    start: dt.datetime
    end: dt.datetime
    strategies: tuple[Path, ...] = ()
    warm_up_hours: Annotated[float, Field(ge=0, le=24 * 366)] = 36
    allow_gaps: bool = False
    filters: Path | None = None
    costs: Costs = Costs()
    rules: PortfolioRules = PortfolioRules()
    output: Path = Path("backtests/latest")
    progress: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for moment in (self.start, self.end):
            if moment.tzinfo is None:
                raise ValueError(f"{moment} has no time zone; times are UTC, like 2026-11-01T00:00:00Z")
        if self.start >= self.end:
            raise ValueError(f"the range is empty: it begins at {self.start} and ends at {self.end}")
        if self.source in ("parquet", "archive") and self.path is None:
            raise ValueError(f"the source {self.source} needs a path: name the folder")
        if self.source == "recording" and not self.recordings:
            raise ValueError("the source recording needs recordings: name the files")
        for symbol in self.symbols:
            if what := wrong_symbol(symbol):
                raise ValueError(what)
        return self

    @property
    def start_ms(self) -> int:
        return _ms(self.start)

    @property
    def end_ms(self) -> int:
        return _ms(self.end)

    @property
    def read_from_ms(self) -> int:
        """Where reading begins: the warm-up before the range."""
        return self.start_ms - int(self.warm_up_hours * 60 * MINUTE_MS)


def read_request(values: dict[str, Any]) -> BacktestRequest:
    """The request in these values; raises `RequestInvalid` with the first problem."""
    try:
        return BacktestRequest.model_validate(values)
    except ValidationError as error:
        raise wrong_value(error, "request", "run") from None


def wrong_value(error: ValidationError, what: str, command: str) -> RequestInvalid:
    """The first problem of a request's part, which `what` names, for people who have typed the command."""
    detail = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in detail["loc"])
    said = f"{place} {what_is_wrong(detail)}" if place else what_is_wrong(detail)
    return RequestInvalid(said, where=what, todo=f"see `perpstream backtest {command} --help`")


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)
