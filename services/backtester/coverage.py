"""What the data has of what the strategies need: asked before a run, which is refused on gaps, and counted while it runs."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.kit.errors import UserError
from libs.trading.columns import Columns
from libs.trading.factors import all_factors
from libs.trading.inputs import InputName
from libs.trading.strategy import Strategy
from services.backtester.result import TRADES, WARM_UP, InputCoverage
from services.backtester.sources import Market, Span, Stored

EDGE_MS = 600_000
"""How far the first and the last trade may be inside the range; also quiet contracts trade more often than each ten minutes."""


class Incomplete(UserError):
    """The range has less than the strategies need; `--allow-gaps` runs it all the same."""


async def check_trades(source: Market, symbols: Sequence[str], span: Span, *, allow_gaps: bool) -> dict[str, Stored]:
    """What there is of each symbol's trades. Raises `Incomplete` for a symbol without any, or with missing ids, days or ends."""
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
                todo=_remedy(stored),
            )
    return found


async def lacking_warm_up(source: Market, symbols: Sequence[str], span: Span) -> tuple[InputCoverage, ...]:
    """A row for each symbol whose trades before the range, in `span`, are not all there: no reason to refuse, but to be told."""
    if span.start_ms >= span.end_ms:
        return ()
    found = []
    for symbol in symbols:
        stored = await source.stored(symbol, span)
        missing = "there are none" if stored is None else _lacking(stored)
        if missing:
            share, rows = (0.0, 0) if stored is None else (_share(stored), stored.rows)
            found.append(InputCoverage(symbol=symbol, name=WARM_UP, share=share, rows=rows, missing=missing))
    return tuple(found)


def _remedy(stored: Stored) -> str:
    if stored.missing or stored.empty_days:
        return "repair it with `perpstream data verify --repair`, or run with --allow-gaps"
    return "name a range that has trades at both ends, or run with --allow-gaps"


def _lacking(stored: Stored) -> str:
    parts = []
    if stored.missing:
        parts.append(f"{stored.missing:,} trades are missing")
    if stored.empty_days:
        shown = ", ".join(stored.empty_days[:3]) + (" and more" if len(stored.empty_days) > 3 else "")
        parts.append(f"{len(stored.empty_days)} of the days have none ({shown})")
    early, late = _edges(stored)
    if early:
        parts.append(f"the first is at {_minute(stored.known.start_ms)}, {_hours(early)} after the beginning")
    if late:
        parts.append(f"the last is at {_minute(stored.known.end_ms - 1)}, {_hours(late)} before the end")
    return "; ".join(parts)


def _edges(stored: Stored) -> tuple[int, int]:
    """How long (ms) the range has no trade at its beginning and at its end; 0 for what is usual."""
    asked, known = stored.asked, stored.known
    early, late = known.start_ms - asked.start_ms, asked.end_ms - known.end_ms
    return (early if early > EDGE_MS else 0), (late if late > EDGE_MS else 0)


def _share(stored: Stored) -> float:
    """The part of the ids that is there, over the part of the time that they are of."""
    length = stored.asked.end_ms - stored.asked.start_ms
    if not stored.rows:
        return 0.0
    return stored.rows / (stored.rows + stored.missing) * (1 - sum(_edges(stored)) / length)


def _minute(time_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):%Y-%m-%d %H:%M}Z"


def _hours(length_ms: int) -> str:
    minutes = length_ms // 60_000
    return f"{minutes / 60:.1f} hours" if minutes >= 120 else f"{minutes} minutes"


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
            found.append(
                InputCoverage(
                    symbol=symbol, name=TRADES, share=_share(trades), rows=trades.rows, missing=_lacking(trades)
                )
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
