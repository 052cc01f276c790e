"""Which strategies count at this place of the log, what they remember, and their verdicts on a situation."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from libs.contracts.control import StrategyActivated
from libs.contracts.signals import SignalScored, StrategyScore
from libs.kit.errors import BadMessage
from libs.trading.asking import ask, totals
from libs.trading.columns import Columns
from libs.trading.factor import Factor, Situation
from libs.trading.factors import all_factors
from libs.trading.scoring import Memory, judge, remember, short_score, signal_event
from libs.trading.strategy import Strategy, StrategyInvalid, read_strategy

_NOTHING = Memory()
_NEARLY = 0.01
"""Scores are compared after rounding to two decimals, which adds at most half of this."""


@dataclass(frozen=True, slots=True)
class InForce:
    """An activation and the configuration that it carries."""

    activation: StrategyActivated
    strategy: Strategy


class StrategyBook:
    """The activations in force, by strategy; a later one replaces an earlier one from its place on.

    A withdrawn strategy is still scored, and its signals are refused as disabled.
    """

    def __init__(self) -> None:
        self.memory: dict[str, Memory] = {}
        self._in_force: dict[str, InForce] = {}

    def activate(self, event: StrategyActivated) -> None:
        """Put a configuration in force, or withdraw it; raises `BadMessage` when it is none.

        What is withdrawn is what is in force, whatever definition the withdrawal carries: that one may have been refused.
        """
        if not event.enabled and (ours := self._in_force.get(event.strategy)) is not None:
            mine = ours.activation
            event = msgspec.structs.replace(event, version=mine.version, definition=mine.definition)
        try:
            strategy = read_strategy(bytes(event.definition), event.strategy)
        except StrategyInvalid as problem:
            raise BadMessage("bad_strategy", "; ".join(problem.problems)) from None
        if strategy.name != event.strategy:
            raise BadMessage("bad_strategy", f"the definition is of {strategy.name}, not of {event.strategy}")
        self._in_force[strategy.name] = InForce(event, strategy)
        self._in_force = dict(sorted(self._in_force.items()))

    def activations(self) -> list[StrategyActivated]:
        """In force or withdrawn, by name."""
        return [item.activation for item in self._in_force.values()]

    def finest_ms(self, default_ms: int) -> int:
        """The finest evaluation interval (ms) that an enabled strategy asks for, at most `default_ms`."""
        asked = (item.strategy.interval_ms for item in self._in_force.values() if item.activation.enabled)
        return min(asked, default=default_ms)

    def factors(self) -> list[Factor]:
        """Every factor that a strategy in force asks, or one that was withdrawn."""
        known = all_factors()
        return [
            known[name] for name in sorted({name for item in self._in_force.values() for name in item.strategy.factors})
        ]

    def evaluate(self, situation: Situation) -> tuple[tuple[StrategyScore, ...], list[SignalScored]]:
        """The scores of the strategies that are due, in name order, and a signal for each threshold crossed."""
        symbol, time_ms = situation.row.symbol, situation.row.evaluation_time_ms
        scores: list[StrategyScore] = []
        signals: list[SignalScored] = []
        for name, item in self._in_force.items():
            strategy = item.strategy
            if time_ms % strategy.interval_ms or not strategy.covers(symbol):
                continue
            key = f"{name}|{symbol}"
            memory = self.memory.get(key, _NOTHING)
            verdict = judge(strategy, situation, memory, enabled=item.activation.enabled)
            scores.append(short_score(strategy, verdict))
            if verdict.crossed:
                signals.append(signal_event(strategy, situation, verdict))
            if verdict.emitted:
                self.memory[key] = remember(memory, verdict, time_ms)
        return tuple(scores), signals

    def may_signal(self, symbol: str, columns: Columns) -> NDArray[np.bool_]:
        """At which evaluations `evaluate` can find a signal. At all others it finds none and remembers nothing."""
        found = np.zeros(len(columns), np.bool_)
        due = [item.strategy for item in self._in_force.values() if item.strategy.covers(symbol)]
        known = all_factors()
        asked = {name: ask(known[name], columns) for name in sorted({name for each in due for name in each.factors})}
        for strategy in due:
            sums = totals(strategy, {name: asked[name] for name in strategy.factors})
            score = 100 * np.maximum(np.abs(sums.total), np.abs(sums.ungated))
            found |= (columns.time_ms % strategy.interval_ms == 0) & (score >= strategy.threshold - _NEARLY)
        return found
