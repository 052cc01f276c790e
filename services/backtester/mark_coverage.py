"""What a range has of the mark prices that trigger stops: asked before a run, which is refused without any, and counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.trading.mark_prices import STEP_MS
from libs.trading.strategy import Strategy
from services.backtester.coverage import Incomplete
from services.backtester.result import MARKS_OF_STOPS, InputCoverage
from services.backtester.sources import Market, Span, Stored, Stretch

LEAST_SHARE = 0.9
"""Of the steps of a range: with fewer, stops are not what they say, and a person has to allow it."""


@dataclass(slots=True)
class _Seen:
    """Of one symbol: steps, those of which only the mark price itself is known, when the first and the last was known, and the
    longest time between two (ms)."""

    steps: int = 0
    plain: int = 0
    first_ms: int = -1
    newest_ms: int = -1
    between_ms: int = 0

    def longest_ms(self, trades: Span) -> int:
        """The longest time without any, from the first trade to the last."""
        return max(self.first_ms - trades.start_ms, self.between_ms, trades.end_ms - self.newest_ms)


@dataclass(slots=True)
class MarkCounter:
    """Counts the steps of the range `within`, by symbol, that the strategies whose stops are triggered by mark prices look at."""

    strategies: Sequence[Strategy]
    within: Span
    _seen: dict[str, _Seen] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether any strategy needs mark prices; without one nothing is read or counted."""
        return bool(self._by_mark)

    @property
    def _by_mark(self) -> list[Strategy]:
        return [each for each in self.strategies if each.bracket.working_type == "mark"]

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The line that says so on top of a report; none without such a strategy."""
        words = "triggered by the lowest and highest mark price of two seconds, filled on the next trade"
        return (f"stops of {_names(self._by_mark)}: {words}",) if self.wanted else ()

    def check(self, source: Market) -> None:
        """Raise `Incomplete`, naming the strategies, where the source never has mark prices."""
        if self.wanted and not source.has_mark_prices:
            raise _none(self._by_mark, source.description)

    def add(self, parts: Sequence[Stretch]) -> None:
        """What came of all symbols."""
        for part in parts:
            if part.marks is not None:
                seen = self._seen.setdefault(part.symbol, _Seen())
                inside = part.marks.between(self.within.start_ms, self.within.end_ms)
                if len(inside):
                    first_ms, newest_ms = int(inside.time_ms[0]), int(inside.time_ms[-1])
                    if not seen.steps:
                        seen.first_ms = seen.newest_ms = first_ms
                    pauses = np.diff(inside.time_ms, prepend=seen.newest_ms)
                    seen.between_ms = max(seen.between_ms, int(pauses.max()))
                    seen.newest_ms, seen.steps = newest_ms, seen.steps + len(inside)
                    seen.plain += int(inside.told_alone.sum())

    def require(self, stored: dict[str, Stored], source: str, *, allow_gaps: bool) -> None:
        """Raise `Incomplete`, naming strategies, symbol and source, for a symbol without any mark price, and, unless gaps are
        allowed, for one of which too many steps are missing."""
        for symbol in sorted(stored):
            if strategies := self._of(symbol):
                seen = self._seen.get(symbol, _Seen())
                if not seen.steps:
                    raise _none(strategies, f"{symbol} in {source}")
                if self._share(stored[symbol], seen) < LEAST_SHARE and not allow_gaps:
                    raise Incomplete(
                        f"{self._missing(stored[symbol], seen)}, and they trigger the stops of {_names(strategies)}",
                        where=f"{symbol} in {source}",
                        todo="name a range that was recorded, or run with --allow-gaps: stops are then touched later or never",
                    )

    def rows(self, stored: dict[str, Stored]) -> tuple[InputCoverage, ...]:
        """A row a symbol that needs them."""
        found = []
        for symbol, trades in sorted(stored.items()):
            if self._of(symbol):
                seen = self._seen.get(symbol, _Seen())
                share, missing = self._share(trades, seen), self._missing(trades, seen)
                found.append(
                    InputCoverage(symbol=symbol, name=MARKS_OF_STOPS, share=share, rows=seen.steps, missing=missing)
                )
        return tuple(found)

    def _of(self, symbol: str) -> list[Strategy]:
        return [each for each in self._by_mark if each.covers(symbol)]

    def _share(self, trades: Stored, seen: _Seen) -> float:
        return min(1.0, seen.steps / max(1, self._expected(trades)))

    def _expected(self, trades: Stored) -> int:
        """How many steps the time from the first to the last trade has: before a symbol is traded nobody tells its mark price."""
        return (trades.known.end_ms - trades.known.start_ms) // STEP_MS

    def _missing(self, trades: Stored, seen: _Seen) -> str:
        parts = []
        expected = self._expected(trades)
        if seen.steps < expected:
            longest = (
                f", the longest time without is {seen.longest_ms(trades.known) / 1000:.0f} s" if seen.steps else ""
            )
            parts.append(f"{expected - seen.steps:,} of {expected:,} steps of mark prices are missing{longest}")
        if seen.plain:
            parts.append(f"{seen.plain:,} steps have one mark price and no extremes")
        return "; ".join(parts)


def _none(by_mark: Sequence[Strategy], where: str) -> Incomplete:
    return Incomplete(
        f"the stops of {_names(by_mark)} are triggered by the mark price (bracket.working_type), and there are none here",
        where=where,
        todo="read a recording (--recording), the log (--timeline) or a database that was recorded into,"
        ' or write "working_type": "last"',
    )


def _names(strategies: Sequence[Strategy]) -> str:
    return ", ".join(sorted({each.name for each in strategies}))
