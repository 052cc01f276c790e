"""What the data has of what the strategies need: asked before a run, which is refused on gaps, and counted while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.kit.errors import UserError
from libs.trading.columns import Columns
from libs.trading.factors import all_factors
from libs.trading.inputs import InputName
from libs.trading.strategy import Strategy
from services.backtester.result import InputCoverage
from services.backtester.sources import Market, Span, Stored


class Incomplete(UserError):
    """The range has less than the strategies need; `--allow-gaps` runs it all the same."""


async def check_trades(source: Market, symbols: Sequence[str], span: Span, *, allow_gaps: bool) -> dict[str, Stored]:
    """What there is of each symbol's trades. Raises `Incomplete` for a symbol without any, or with missing ids or days."""
    found: dict[str, Stored] = {}
    for symbol in symbols:
        stored = await source.stored(symbol, span)
        if stored is None:
            raise Incomplete(
                "there are no trades in the range",
                where=f"{symbol} in {source.description}",
                todo="import them with `perpstream data import`, or name another range or symbol",
            )
        found[symbol] = stored
        if (what := _lacking(stored)) and not allow_gaps:
            raise Incomplete(
                what,
                where=f"{symbol} in {source.description}",
                todo="repair it with `perpstream data verify --repair`, or run with --allow-gaps",
            )
    return found


def _lacking(stored: Stored) -> str:
    parts = []
    if stored.missing:
        parts.append(f"{stored.missing:,} trades are missing")
    if stored.empty_days:
        shown = ", ".join(stored.empty_days[:3]) + (" and more" if len(stored.empty_days) > 3 else "")
        parts.append(f"{len(stored.empty_days)} of the days have none ({shown})")
    return "; ".join(parts)


@dataclass(slots=True)
class CoverageCounter:
    """Counts, per symbol and input, the evaluations at which it was there and not older than its factor allows."""

    strategies: Sequence[Strategy]
    ages_ms: dict[InputName, int] = field(init=False)
    _evaluations: dict[str, int] = field(default_factory=dict)
    _fresh: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ages_ms = _greatest_ages(self.strategies)

    def insisted(self, symbol: str) -> set[InputName]:
        """The inputs of a symbol without which a strategy refuses to signal."""
        known = all_factors()
        return {
            item
            for strategy in self.strategies
            if strategy.enabled and strategy.covers(symbol)
            for name, use in strategy.factors.items()
            if use.when_missing == "refuse"
            for item in known[name].needs_inputs
        }

    def require(self, source: str) -> None:
        """Raise `Incomplete` for an input that no evaluation of a symbol had, without which a strategy refuses all signals."""
        for symbol, total in sorted(self._evaluations.items()):
            for name in sorted(self.insisted(symbol)):
                if total and not self._fresh.get((symbol, name), 0):
                    raise Incomplete(
                        f"{name} is missing at every evaluation, and a strategy refuses to signal without it",
                        where=f"{symbol} in {source}",
                        todo='record or import it, write "when_missing": "omit" for its factor, or run with --allow-gaps',
                    )

    def add(self, symbol: str, columns: Columns) -> None:
        """Evaluations of the range."""
        self._evaluations[symbol] = self._evaluations.get(symbol, 0) + len(columns)
        for name, limit_ms in self.ages_ms.items():
            fresh = ~np.isnan(columns.value(name)) & (columns.age_ms(name) <= limit_ms)
            self._fresh[symbol, name] = self._fresh.get((symbol, name), 0) + int(np.count_nonzero(fresh))

    @property
    def evaluations(self) -> int:
        """How many were added."""
        return sum(self._evaluations.values())

    def rows(self, stored: dict[str, Stored]) -> tuple[InputCoverage, ...]:
        """The table that stands on top of every report: trades first, then inputs by name."""
        found = []
        for symbol, trades in sorted(stored.items()):
            share = trades.rows / (trades.rows + trades.missing) if trades.rows else 0.0
            found.append(
                InputCoverage(symbol=symbol, name="trades", share=share, rows=trades.rows, missing=_lacking(trades))
            )
            total, insisted = self._evaluations.get(symbol, 0), self.insisted(symbol)
            for name in self.ages_ms:
                fresh = self._fresh.get((symbol, name), 0)
                missing = "" if fresh == total else f"missing or too old at {total - fresh:,} of {total:,} evaluations"
                share = fresh / total if total else 0.0
                found.append(
                    InputCoverage(
                        symbol=symbol, name=name, share=share, rows=fresh, missing=missing, insisted=name in insisted
                    )
                )
        return tuple(found)


def _greatest_ages(strategies: Sequence[Strategy]) -> dict[InputName, int]:
    """The greatest age (ms) of each input that a factor of the strategies reads; the strictest counts."""
    ages: dict[InputName, int] = {}
    known = all_factors()
    for name in {name for strategy in strategies for name in strategy.factors}:
        for item, limit_ms in known[name].needs_inputs.items():
            ages[item] = min(limit_ms, ages.get(item, limit_ms))
    return dict(sorted(ages.items()))
