"""What the API hears and says of putting strategies in force."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from services.gateway.models.base import Answer
from services.gateway.models.commands import _printable
from services.gateway.models.people import Asked

Definition = Annotated[
    dict[str, Any],
    Field(description="A strategy as its file says it: strategies/schema.json", examples=[{"name": "v51"}]),
]
Reason = Annotated[str, Field(max_length=200), AfterValidator(_printable)]


class StrategyText(Asked):
    """A strategy to look at."""

    definition: Definition


class StrategyActivation(StrategyText):
    """A strategy to put in force."""

    reason: Reason = Field(default="", examples=["a higher threshold over the holidays"])


class StrategyWithdrawal(Asked):
    """Its signals are refused from then on."""

    reason: Reason = Field(default="", examples=["it loses since Monday"])
    confirmation: str = Field(max_length=60, examples=["withdraw v51"], description="Type: withdraw NAME")


class FieldDifference(Answer):
    """A field that differs from what was said last."""

    field: str = Field(examples=["threshold"])
    before: Any = Field(examples=[75])
    after: Any = Field(examples=[80])
    words: str = Field(examples=["threshold 75 → 80"])


class StrategyCheck(Answer):
    """What putting it in force would change. `problems`: why it cannot be, a line each with place and what to do."""

    strategy: str | None = Field(examples=["v51"])
    version: int | None = Field(examples=[4])
    version_in_force: int | None = Field(examples=[3])
    problems: tuple[str, ...] = Field(examples=[[]])
    changes: tuple[str, ...] = Field(examples=[["v51 version 3 → 4; threshold 75 → 80"]])
    differences: tuple[FieldDifference, ...]


class StrategyChanged(Answer):
    """What was said, and what the engines made of it. `unanswered`: no engine has met it yet."""

    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[4])
    state: Literal["taken", "refused", "unanswered", "unchanged"]
    reason: str = Field(examples=[""])
    changes: tuple[str, ...] = Field(examples=[["v51 version 3 → 4; threshold 75 → 80"]])
