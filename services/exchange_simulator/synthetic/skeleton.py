"""The minute skeleton: price anchors, intensity, taker bias and aggregate ids of any minute, without walking there.

Prices are sums of smooth noise on growing periods (trends inside trends, ranges, volatility regimes) of a common factor
and a factor of the symbol. Every day has the same number of aggregate trades, spread over its minutes by integer weights;
so the id at the start of any minute is a closed form.
"""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.symbols import SymbolProfile
from services.exchange_simulator.synthetic.noise import Floats, key_of, lattice, smooth_noise
from services.exchange_simulator.synthetic.opening import opening_at, side_of

MINUTE_MS = 60_000
DAY_MINUTES = 1440
# Periods in minutes and their weight against a random walk's square root: the middle ones carry the tradable trends.
_OCTAVES = ((4, 0.9), (11, 1.2), (31, 1.4), (83, 1.2), (251, 1.0), (727, 0.9), (2179, 0.8), (8713, 0.7))
_REGIME_LIMIT = 83
_KEPT_DAYS = 3


@dataclass(frozen=True, slots=True)
class DaySkeleton:
    """One symbol, one UTC day. `log_price` has 1441 anchors, `cumulative` 1441 integer weights, the rest 1440 values."""

    log_price: Floats
    cumulative: NDArray[np.int64]
    volatility: Floats
    drift: Floats
    buy_share: Floats


@dataclass(frozen=True, slots=True)
class Turn:
    """When the market starts (ms), and when this symbol turns in its opening (fractional minutes since the epoch)."""

    start_ms: int
    minute: float


class Skeleton:
    """One symbol's skeleton for ever; days are computed when asked for and a few are kept."""

    def __init__(self, seed: int, profile: SymbolProfile, turn: Turn) -> None:
        self.profile = profile
        symbol = profile.rules.symbol
        self._own = [key_of(seed, symbol, "price", period) for period, _ in _OCTAVES]
        self._common = [key_of(seed, "market", "price", period) for period, _ in _OCTAVES]
        self._regime = (key_of(seed, "market", "regime"), key_of(seed, symbol, "regime"))
        self._activity = key_of(seed, symbol, "activity")
        self._days: OrderedDict[int, DaySkeleton] = OrderedDict()
        swings = (key_of(seed, symbol, "swing"), key_of(seed, "market", "swing"))
        side = side_of(seed, turn.start_ms)
        self._opening = opening_at(turn.minute, side, (self.natural_log_prices, self.natural_volatility), swings)

    def regime(self, minutes: Floats) -> Floats:
        """Volatility multiplier, about 0.4 to 2.5, changing over hours."""
        common = smooth_noise(self._regime[0], minutes, 1100.0)
        own = smooth_noise(self._regime[1], minutes, 190.0)
        return np.exp(0.45 * common + 0.5 * own)

    def natural_volatility(self, minutes: Floats) -> Floats:
        """Volatility of a minute without the opening."""
        return self.profile.minute_volatility * self.regime(minutes)

    def natural_log_prices(self, minutes: Floats) -> Floats:
        """Natural logarithm of the fair price at (fractional) minutes since the epoch, without the opening."""
        regime = self.regime(minutes)
        total = np.full(len(minutes), np.log(self.profile.base_price))
        for index, (period, weight) in enumerate(_OCTAVES):
            own = smooth_noise(self._own[index], minutes, float(period))
            common = smooth_noise(self._common[index], minutes, float(period))
            part = (0.6 * own + 0.8 * self.profile.beta * common) * weight * np.sqrt(period)
            total += self.profile.minute_volatility * part * (regime if period <= _REGIME_LIMIT else 1.0)
        return total

    def day(self, day: int) -> DaySkeleton:
        """The skeleton of a day (days since the epoch)."""
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._compute(day)
            if len(self._days) > _KEPT_DAYS:
                self._days.popitem(last=False)
        return found

    def _compute(self, day: int) -> DaySkeleton:
        minutes = np.arange(day * DAY_MINUTES - 5, (day + 1) * DAY_MINUTES + 1, dtype=np.float64)
        path = self._opening.price(minutes, self.natural_log_prices(minutes))
        regime = self.regime(minutes[5:-1])
        volatility = self._opening.volatility(minutes[5:-1], self.profile.minute_volatility * regime)
        drift = (path[6:] - path[1:-5]) / (self.profile.minute_volatility * 4.0)
        # Above one half while the price climbs.
        buy_share = self._opening.buy_share(minutes[5:-1] + 0.5, 0.5 + 0.24 * np.tanh(0.9 * drift))
        noise = lattice(self._activity, minutes[5:-1].astype(np.int64))
        activity = np.exp(0.35 * noise + 0.35 * (regime - 1.0) + 0.25 * np.minimum(np.abs(drift), 2.0))
        cumulative = np.zeros(DAY_MINUTES + 1, np.int64)
        np.cumsum(np.rint(activity * 10_000.0).astype(np.int64), out=cumulative[1:])
        return DaySkeleton(path[5:], cumulative, volatility, drift, buy_share)

    def trades_before(self, minute: int, per_day: int) -> int:
        """How many aggregate trades lie before `minute` at `per_day` trades a day, counted from the epoch."""
        day, offset = divmod(minute, DAY_MINUTES)
        cumulative = self.day(day).cumulative
        return day * per_day + per_day * int(cumulative[offset]) // int(cumulative[-1])

    def minute_of(self, count: int, per_day: int) -> int:
        """The minute that holds trade number `count` (from 0), the inverse of `trades_before`."""
        day, rest = divmod(count, per_day)
        cumulative = self.day(day).cumulative
        starts = per_day * cumulative // cumulative[-1]
        return day * DAY_MINUTES + int(np.searchsorted(starts, rest, side="right")) - 1
