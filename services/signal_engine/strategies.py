"""Which strategies count at this place of the log, what they remember, and their verdicts on a moment."""

from typing import NamedTuple

import msgspec

from libs.contracts.control import StrategyActivated
from libs.contracts.signals import SignalScored, StrategyScore
from libs.indicators.features import FeatureRow
from services.signal_engine.slow_inputs import Reading


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """What a strategy remembers of one symbol: its last emitted signal (ms; -1 none) and that signal's direction."""

    emitted_ms: int = -1
    direction: str = "none"


class Moment(NamedTuple):
    """One symbol at one evaluation: its features and its slow inputs by name."""

    row: FeatureRow
    readings: dict[str, Reading]


class StrategyBook:
    """The activations in force, by strategy; a later one replaces an earlier one from its place on."""

    def __init__(self) -> None:
        self.memory: dict[str, Memory] = {}
        self._activations: dict[str, StrategyActivated] = {}

    def activate(self, event: StrategyActivated) -> None:
        """Put a configuration in force, or withdraw it; raises `BadMessage` when it is none."""
        self._activations[event.strategy] = event

    def activations(self) -> list[StrategyActivated]:
        """In force or withdrawn, by name."""
        return [self._activations[name] for name in sorted(self._activations)]

    def evaluate(self, moment: Moment) -> tuple[tuple[StrategyScore, ...], list[SignalScored]]:
        """Every strategy's score in name order, and a signal for each threshold crossed."""
        return (), []
