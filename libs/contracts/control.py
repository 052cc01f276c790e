"""Configuration as records of the log: strategies are never read behind the timeline's back."""

from typing import ClassVar

import msgspec

from libs.contracts.event import Event


class StrategyActivated(Event, frozen=True, kw_only=True):
    """A strategy's complete configuration counts from this record's place in the timeline.

    `definition` is the strategy file as validated (see strategies/schema.json); `enabled` false withdraws the strategy.
    `event_id` is a digest of strategy, version, definition and enabled: the same activation twice is the same fact.
    """

    SCHEMA: ClassVar[str] = "strategy_activated/1"

    strategy: str
    version: int
    enabled: bool
    definition: msgspec.Raw
    activated_by: str
