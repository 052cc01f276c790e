"""A signal in one plain sentence: what, how sure, why, and why not."""

from typing import Protocol

from libs.contracts.signals import Direction, FactorContribution, RefusalReason
from libs.trading.factor import Situation
from libs.trading.factors import all_factors
from libs.trading.strategy import Strategy

MOST_REASONS = 3


class Judged(Protocol):
    """The part of a verdict that is told."""

    @property
    def score(self) -> float: ...

    @property
    def signal_direction(self) -> Direction: ...

    @property
    def ungated_score(self) -> float: ...

    @property
    def held_back(self) -> bool: ...

    @property
    def contributions(self) -> tuple[FactorContribution, ...]: ...

    @property
    def reason(self) -> RefusalReason | None: ...

    @property
    def why(self) -> str: ...

    @property
    def crossed(self) -> bool: ...


def explain(strategy: Strategy, situation: Situation, verdict: Judged) -> str:
    """ "Long BTCUSDT, score 78 of 75 needed: taker buying in all three windows, price above VWAP; refused because …" """
    direction = verdict.signal_direction
    head = f"{direction.capitalize() if direction != 'none' else 'No direction for'} {situation.row.symbol}"
    score = f"score {spoken_number(verdict.score)} of {spoken_number(strategy.threshold)} needed"
    if verdict.held_back:
        score += f" and {spoken_number(verdict.ungated_score)} without its gates"
    reasons = ", ".join(_reasons(situation, verdict)) or "no factor had an opinion"
    tail = ""
    if verdict.reason is not None:
        tail = f"; refused because {verdict.why}"
    elif not verdict.crossed:
        tail = "; no signal"
    omitted = [part.factor.replace("_", " ") for part in verdict.contributions if part.omitted is not None]
    without = f" (without {', '.join(omitted)})" if omitted else ""
    return f"{head}, {score}: {reasons}{without}{tail}"


def spoken_number(value: float) -> str:
    """At most two decimals, none of them a trailing zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _reasons(situation: Situation, verdict: Judged) -> list[str]:
    """The votes that point the verdict's way, the strongest first."""
    sign = {"long": 1, "short": -1, "none": 0}[verdict.signal_direction]
    known = all_factors()
    agreeing = [
        part for part in verdict.contributions if known[part.factor].role == "vote" and part.contribution * sign > 0
    ]
    strongest = sorted(agreeing, key=lambda part: (-abs(part.contribution), part.factor))[:MOST_REASONS]
    return [known[part.factor].words(situation, part.value) for part in strongest]
