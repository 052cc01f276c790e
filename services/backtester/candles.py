"""Bars for the charts, gathered while the tape passes by."""

from dataclasses import dataclass, field

import numpy as np

from libs.indicators.log import TradeRows
from services.backtester.result import Candles

MINUTE_MS = 60_000


@dataclass(slots=True)
class CandleBuilder:
    """Bars of one symbol. A bar that goes on in the next stretch is put together from both."""

    interval_ms: int = MINUTE_MS
    _bars: list[list[float]] = field(default_factory=list)

    def add(self, trades: TradeRows) -> None:
        """The next trades, in order of time."""
        if not len(trades):
            return
        unit = 10.0**trades.price_decimals
        starts_ms = trades.time // self.interval_ms * self.interval_ms
        first = np.flatnonzero(np.diff(starts_ms, prepend=starts_ms[0] - 1))
        last = np.append(first[1:], len(trades)) - 1
        prices = trades.price
        columns = (
            starts_ms[first],
            prices[first] / unit,
            np.maximum.reduceat(prices, first) / unit,
            np.minimum.reduceat(prices, first) / unit,
            prices[last] / unit,
        )
        rows = np.stack([column.astype(np.float64) for column in columns], axis=1).tolist()
        if self._bars and self._bars[-1][0] == rows[0][0]:
            known, more = self._bars[-1], rows.pop(0)
            self._bars[-1] = [known[0], known[1], max(known[2], more[2]), min(known[3], more[3]), more[4]]
        self._bars.extend(rows)

    def candles(self) -> Candles:
        """All bars so far."""
        table = np.array(self._bars, np.float64).reshape(-1, 5)
        return Candles(
            self.interval_ms, table[:, 0].astype(np.int64), *(table[:, place].copy() for place in range(1, 5))
        )
