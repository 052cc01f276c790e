"""What the API says of risk, with examples: the guard's verdict, what each of its rules sees, and who told it what."""

from typing import Literal

from pydantic import Field

from services.gateway.models.base import Answer, Money
from services.gateway.models.live import HeartbeatAnswer


class MeasureAnswer(Answer):
    """What a rule sees now, in its own unit; `value` null: it cannot be told, and `sentence` says why."""

    rule: str = Field(examples=["daily_loss_r"])
    level: Literal["normal", "warning", "unknown", "break"] = Field(examples=["normal"])
    sentence: str = Field(examples=["the day's loss is 0.4 R; warning from 3 R, break from 5 R"])
    value: Money | None = Field(examples=["0.4"])
    warning: Money | None = Field(examples=["3"])
    breach: Money | None = Field(examples=["5"])


class RiskOfAccount(Answer):
    """The guard's last word on an account. Nothing is entered while `entries_allowed` is false or the guard is silent."""

    account: str = Field(examples=["main"])
    guard: HeartbeatAnswer
    level: Literal["normal", "warning", "circuit_break"] | None = Field(examples=["normal"])
    entries_allowed: bool = Field(examples=[True])
    reasons: tuple[str, ...] = Field(examples=[[]])
    daily_pnl_r: Money | None = Field(examples=["-0.4"])
    break_number: int | None = Field(examples=[2], description="What a reset must name")
    paused: bool | None = Field(examples=[False])
    locks: dict[str, int] = Field(examples=[{"DOGEUSDT": 1_796_007_200_000}], description="Until when, ms")
    measures: tuple[MeasureAnswer, ...] = Field(description="Gravest first")


class Risk(Answer):
    """Every account that is guarded, by name; the account of this installation always."""

    accounts: tuple[RiskOfAccount, ...]


class RiskHistoryRow(Answer):
    """A command with its answer, or an alarm of guard or executor. `unanswered`: nobody has said yet what became of it. `who` is
    what the command says, which of a refused one may be anybody's name."""

    time_ms: int = Field(examples=[1_796_000_000_000])
    kind: Literal["command", "alarm"] = Field(examples=["command"])
    who: str = Field(examples=["anna"])
    what: str = Field(examples=["pause"])
    arguments: dict[str, str] = Field(examples=[{}])
    outcome: Literal["accepted", "refused", "unanswered", "info", "warning", "critical"] = Field(examples=["accepted"])
    words: str = Field(examples=["entries are paused"])
    reason: str = Field(examples=["news at 14:00"])


class RiskHistory(Answer):
    """The last lines, newest first, as far back as this gateway's memory goes: some two thousand of each kind."""

    rows: tuple[RiskHistoryRow, ...]
