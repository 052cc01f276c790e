"""Minute summaries of a synthetic tape, kept per hour, so that a day of klines is computed once."""

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.klines import COUNT, MINUTE_COLUMNS, fold, summary_row
from services.exchange_simulator.synthetic.skeleton import MINUTE_MS
from services.exchange_simulator.synthetic.trades import LONGEST_DELAY_MS, TradeTape

_HOUR = 60
_KEPT_HOURS = 900


class MinuteBars:
    """Minute rows of one tape (11 integer columns, see klines). Complete minutes are cached, the running one never."""

    def __init__(self, tape: TradeTape) -> None:
        self._tape = tape
        self._hours: OrderedDict[int, NDArray[np.int64]] = OrderedDict()
        self._lock = threading.Lock()

    def rows(self, first: int, stop: int, now_ms: int) -> NDArray[np.int64]:
        """Rows of minutes first..stop, only trades visible at `now_ms`."""
        sealed = (now_ms - LONGEST_DELAY_MS) // MINUTE_MS
        rows = []
        minute = first
        while minute < stop:
            if minute % _HOUR == 0 and minute + _HOUR <= min(stop, sealed):
                rows.append(self._hour(minute // _HOUR))
                minute += _HOUR
            elif minute < sealed:
                hour_end = min((minute // _HOUR + 1) * _HOUR, stop, sealed)
                table = self._partial(minute // _HOUR, hour_end - minute // _HOUR * _HOUR)
                rows.append(table[minute % _HOUR : hour_end - minute // _HOUR * _HOUR])
                minute = hour_end
            else:
                start = minute * MINUTE_MS
                rows.append(summary_row(self._tape.between(start, start + MINUTE_MS - 1, now_ms))[None, :])
                minute += 1
        return np.concatenate(rows) if rows else np.zeros((0, MINUTE_COLUMNS), np.int64)

    def total(self, first: int, stop: int, now_ms: int) -> NDArray[np.int64]:
        """One folded row over minutes first..stop."""
        return fold(self.rows(first, stop, now_ms))

    def _hour(self, hour: int) -> NDArray[np.int64]:
        return self._partial(hour, _HOUR)

    def _partial(self, hour: int, filled: int) -> NDArray[np.int64]:
        """The hour's table with at least its first `filled` minutes computed; those must be complete minutes."""
        with self._lock:
            table = self._hours.get(hour)
            if table is None:
                table = self._hours[hour] = np.full((_HOUR, MINUTE_COLUMNS), -1, np.int64)
                if len(self._hours) > _KEPT_HOURS:
                    self._hours.popitem(last=False)
        for offset in np.flatnonzero(table[:filled, COUNT] < 0):
            parts = self._tape.minute_summary_parts(hour * _HOUR + int(offset))
            table[offset] = fold(np.stack([summary_row(part) for part in parts]))
        return table
