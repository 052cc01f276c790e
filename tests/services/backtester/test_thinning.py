"""Fewer points keep what people look for: extremes, ends, gaps, and prices to the tick."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backtester.report.thinning import PackedBars, chart_interval, extremes, merged, packed
from services.backtester.result import Candles
from tests.services.backtester.results import MINUTE_MS, START_MS


def _candles(rows: list[tuple[int, float, float, float, float]]) -> Candles:
    minutes, *prices = zip(*rows, strict=True)
    columns = [np.array(column, dtype=np.float64) for column in prices]
    return Candles(MINUTE_MS, START_MS + MINUTE_MS * np.array(minutes, dtype=np.int64), *columns)


def _unpacked(bars: PackedBars) -> list[tuple[int, float, float, float, float]]:
    """As the page's script does it."""
    found, number, close = [], 0, 0
    for step, open_, high, low, last in zip(bars.number, bars.open, bars.high, bars.low, bars.close, strict=True):
        number, begin = number + step, close + open_
        close = begin + last
        found.append(
            (number, *(round(raw / 10**bars.decimals, 8) for raw in (begin, begin + high, begin + low, close)))
        )
    return found


ROWS = [
    (0, 10.0, 12.5, 9.5, 11.0),
    (1, 11.0, 11.25, 10.5, 10.75),
    (4, 10.5, 13.0, 10.5, 12.0),
    (5, 12.0, 12.0, 8.0, 8.5),
]


def test_bars_come_back_as_they_were_with_their_gap() -> None:
    bars = packed(_candles(ROWS))
    assert (bars.decimals, bars.interval, bars.start) == (2, 60, START_MS // 1000)
    assert _unpacked(bars) == ROWS


def test_longer_bars_by_hand() -> None:
    longer = merged(_candles(ROWS), 5 * MINUTE_MS)
    assert longer.time_ms.tolist() == [START_MS, START_MS + 5 * MINUTE_MS]
    assert longer.open.tolist() == [10, 12]
    assert longer.high.tolist() == [13, 12]
    assert longer.low.tolist() == [9.5, 8]
    assert longer.close.tolist() == [12, 8.5]


def test_the_shortest_interval_that_fits() -> None:
    minutes = [(minute, 1.0, 1.0, 1.0, 1.0) for minute in range(600)]
    both = {"a": _candles(minutes), "b": _candles(minutes)}
    assert chart_interval(both, 1200) == MINUTE_MS
    assert chart_interval(both, 1199) == 2 * MINUTE_MS
    assert chart_interval(both, 100) == 15 * MINUTE_MS
    assert chart_interval({}, 100) == 1000


def test_no_bars_at_all() -> None:
    empty = np.array([], dtype=np.float64)
    assert packed(Candles(MINUTE_MS, empty.astype(np.int64), empty, empty, empty, empty)).open == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(4, 50))
def test_extremes_and_ends_stay(values: list[float], most: int) -> None:
    given_ = np.array(values)
    kept = extremes(given_, most)
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert len(kept) <= max(most, len(values) if len(values) <= most else most)
    assert given_[kept].max() == given_.max()
    assert given_[kept].min() == given_.min()
    assert {0, len(values) - 1} <= set(kept.tolist())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_all_stay(count: int) -> None:
    assert extremes(np.zeros(count), 10).tolist() == list(range(count))
