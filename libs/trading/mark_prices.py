"""The venue's mark prices as a simulation sees them: each step's extremes in columns, and the steps that wait for their time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from libs.contracts.market import MarkPriceObserved
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64

STEP_MS = 2_000
"""The distance of the log's mark prices, in the venue's time."""
Step = tuple[int, int, int, bool]
"""When it was known (ms), its lowest and highest mark price in 10**-8 quote units, and whether the event told the extremes."""


@dataclass(frozen=True, slots=True)
class MarkTape:
    """Mark prices of one symbol in steps: from when on each was known (ms, not falling), its lowest and highest price in 10**-8
    quote units. `plain`: of which steps only one price is known, which stands for both extremes; left out: of none.

    Raises `ValueError` for columns of different lengths, or falling times.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    plain: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if {len(column) for column in (self.low, self.high, self.told_alone)} != {len(self.time_ms)}:
            raise ValueError(f"{self.symbol}: the columns of the mark prices have different lengths")
        if not bool(np.all(self.time_ms[1:] >= self.time_ms[:-1])):
            raise ValueError(f"{self.symbol}: the times of the mark prices fall")

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def told_alone(self) -> NDArray[np.bool_]:
        """Whether of each step only one price is known."""
        return np.zeros(len(self.time_ms), np.bool_) if self.plain is None else self.plain

    def between(self, from_ms: int, until_ms: int) -> "MarkTape":
        """The steps that became known in [from_ms, until_ms), without copying them."""
        begin, end = np.searchsorted(self.time_ms, [from_ms, until_ms], side="left").tolist()
        plain = None if self.plain is None else self.plain[begin:end]
        return MarkTape(self.symbol, self.time_ms[begin:end], self.low[begin:end], self.high[begin:end], plain)

    def in_decimals(self, decimals: int) -> tuple[Int64, Int64]:
        """The extremes in a tape's decimals (at most 8), rounded towards each other: a price of the tape lies at or beyond them
        exactly when it lies at or beyond the exact ones."""
        unit = 10 ** (at.MONEY_DECIMALS - decimals)
        low: Int64 = -(-self.low // unit)
        return low, self.high // unit


def joined_marks(parts: Sequence[MarkTape]) -> MarkTape:
    """Parts of one symbol, one after the other; at least one. Raises `ValueError` when times fall."""
    names = ("time_ms", "low", "high", "told_alone")
    return MarkTape(parts[0].symbol, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(slots=True)
class WaitingMarks:
    """Steps of one symbol in the order of the log, until their time has come. `newest_ms`: when the last one was known."""

    symbol: str
    steps: list[Step] = field(default_factory=list)
    newest_ms: int = -1

    def add(self, event: MarkPriceObserved, place_ms: int) -> None:
        """One more. It counts from its own time on, but not for what was proven when it came: `place_ms` is the symbol's
        watermark at its place in the log, -1 before anything was proven. So a replay sees it when a follower of the log did."""
        self.newest_ms = max(self.newest_ms, event.event_time_ms, place_ms + 1)
        if event.mark_price <= 0:
            return  # a symbol that has none yet
        mark, told = event.mark_price, event.lowest_mark_price is not None and event.highest_mark_price is not None
        # One of 0 is told of a symbol that has no mark price yet.
        lowest = min(one for one in (mark, event.lowest_mark_price) if one is not None and one > 0)
        highest = mark if event.highest_mark_price is None else max(mark, event.highest_mark_price)
        self.steps.append((self.newest_ms, _units(lowest, ROUND_CEILING), _units(highest, ROUND_FLOOR), told))

    def take(self, until_ms: int) -> MarkTape:
        """The steps known before `until_ms`; they are forgotten here."""
        count = next((place for place, step in enumerate(self.steps) if step[0] >= until_ms), len(self.steps))
        taken, self.steps = self.steps[:count], self.steps[count:]
        table = np.array([step[:3] for step in taken], np.int64).reshape(count, 3)
        time_ms, low, high = (np.ascontiguousarray(column) for column in table.T)
        return MarkTape(self.symbol, time_ms, low, high, np.array([not step[3] for step in taken], np.bool_))


def _units(price: Decimal, rounding: str) -> int:
    return min(int(price.scaleb(at.MONEY_DECIMALS).to_integral_value(rounding)), at.NEVER)
