"""What the API says of strategies, with examples."""

from typing import Any

from pydantic import Field

from services.gateway.models.base import Answer


class StrategyAnswer(Answer):
    """What was said last of a strategy, as the recorder found it in the timeline, and its newest signal."""

    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[3])
    enabled: bool = Field(examples=[True], description="False: withdrawn")
    refuses_all: bool = Field(
        examples=[False], description="In force, and its own definition says that nothing is emitted"
    )
    activated_by: str = Field(examples=["perpstream up"])
    recorded_at_ms: int = Field(examples=[1_796_000_000_000])
    threshold: float | None = Field(examples=[75.0])
    factors: int | None = Field(examples=[7])
    definition: dict[str, Any] = Field(examples=[{"name": "v51", "version": 3, "threshold": 75}])
    latest_signal_ms: int | None = Field(examples=[1_796_000_015_000])


class Strategies(Answer):
    """By name."""

    rows: tuple[StrategyAnswer, ...]


class ActivationAnswer(Answer):
    """A word on a strategy."""

    event_id: str = Field(examples=["c0ffee"])
    strategy: str = Field(examples=["v51"])
    version: int = Field(examples=[3])
    enabled: bool = Field(examples=[True])
    activated_by: str = Field(examples=["anna"])
    recorded_at_ms: int = Field(examples=[1_796_000_000_000])
    definition: dict[str, Any] = Field(examples=[{"name": "v51", "version": 3, "threshold": 75}])


class StrategyHistory(Answer):
    """Every word, newest first."""

    rows: tuple[ActivationAnswer, ...]
