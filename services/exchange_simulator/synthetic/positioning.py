"""Slow facts of a synthetic symbol as functions of time: mark, index, funding, open interest, ratios, spot and Coinbase."""

import math

import numpy as np

from services.exchange_simulator.market import Funding, MarkPrice, Positioning
from services.exchange_simulator.synthetic.noise import key_of, lattice, smooth_noise
from services.exchange_simulator.synthetic.skeleton import DAY_MINUTES, MINUTE_MS, Skeleton

FUNDING_INTERVAL_MS = 8 * 3_600_000
_FUNDING_EVENT_LAG_MS = 10


class SlowFacts:
    """One symbol's slow facts."""

    def __init__(self, seed: int, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._rules = skeleton.profile.rules
        symbol = self._rules.symbol
        self._rate = (-1, 0.0)
        self._keys = {
            name: key_of(seed, symbol, name)
            for name in ("funding", "interest", "global", "account", "position", "jitter", "premium")
        }

    def _noise(self, name: str, time_ms: int, period_minutes: float) -> float:
        return float(smooth_noise(self._keys[name], np.array([time_ms / MINUTE_MS]), period_minutes)[0])

    def fair(self, time_ms: int) -> float:
        """The fair price, the same line that the trades dance around."""
        minute, rest = divmod(time_ms, MINUTE_MS)
        day, offset = divmod(minute, DAY_MINUTES)
        anchors = self._skeleton.day(day).log_price
        left, right = float(anchors[offset]), float(anchors[offset + 1])
        return math.exp(left + (right - left) * rest / MINUTE_MS)

    def rate(self, time_ms: int) -> float:
        """The running funding estimate for the next settlement."""
        minute = time_ms // MINUTE_MS * MINUTE_MS
        # Asked every second for every symbol, changes every minute.
        if self._rate[0] != minute:
            slow, fast = self._noise("funding", minute, 1511.0), self._noise("funding", minute, 97.0)
            self._rate = (minute, 0.0001 + 0.00032 * slow + 0.00008 * fast)
        return self._rate[1]

    def mark_price(self, time_ms: int) -> MarkPrice:
        """Mark, index and funding; in the first ten milliseconds of a funding hour the next funding time is still that hour."""
        fair, rate = self.fair(time_ms), self.rate(time_ms)
        jitter = (time_ms // 1000 * 7919 % 2003 / 1001.0 - 1.0) * 1.5e-5
        decimals = self._rules.price_decimals
        next_funding = ((time_ms - _FUNDING_EVENT_LAG_MS - 1) // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        return MarkPrice(
            symbol=self._rules.symbol,
            mark=_eight(round(fair * (1 + jitter), decimals)),
            average=_eight(round(self.fair(time_ms - 15_000), decimals)),
            index=_eight(fair * (1 - 0.8 * rate)),
            settle=_eight(fair * (1 - 0.3 * rate)),
            rate=_eight(rate),
            next_funding_ms=next_funding,
        )

    def fundings(self, start_ms: int, end_ms: int) -> list[Funding]:
        """Settlements with start <= time <= end, a few milliseconds after their hour as on the exchange."""
        found = []
        hour = start_ms // FUNDING_INTERVAL_MS * FUNDING_INTERVAL_MS
        while hour <= end_ms:
            jitter = int((float(lattice(self._keys["jitter"], np.array([hour]))[0]) + 1) * 9)
            if start_ms <= hour + jitter <= end_ms:
                found.append(
                    Funding(self._rules.symbol, _eight(self.rate(hour)), hour + jitter, self.mark_price(hour).mark)
                )
            hour += FUNDING_INTERVAL_MS
        return found

    def positioning(self, time_ms: int) -> Positioning:
        """Open interest follows slow noise and the price; accounts lean long, top traders a little less."""
        interest = self._skeleton.profile.open_interest
        change = 0.09 * self._noise("interest", time_ms, 1440.0) + 0.035 * self._noise("interest", time_ms, 61.0)
        return Positioning(
            time_ms=time_ms,
            open_interest=interest * float(np.exp(change)),
            global_long=0.56 + 0.14 * self._noise("global", time_ms, 700.0),
            top_account_long=0.53 + 0.15 * self._noise("account", time_ms, 560.0),
            top_position_long=0.51 + 0.11 * self._noise("position", time_ms, 430.0),
        )

    def spot_price(self, time_ms: int) -> float:
        """Spot stands at the index."""
        return self.fair(time_ms) * (1 - 0.8 * self.rate(time_ms))

    def coinbase_price(self, time_ms: int) -> float:
        """Coinbase trades at a premium or discount of up to about 0.12 % to Binance spot."""
        premium = 0.0009 * self._noise("premium", time_ms, 240.0) + 0.0003 * self._noise("premium", time_ms, 17.0)
        return self.spot_price(time_ms) * (1 + premium)


def _eight(value: float) -> str:
    return f"{value:.8f}"
