"""Columns of floats say what the decimals of a row say, bit for bit."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.indicators import layout as at
from libs.indicators.columns import FEATURES, FeatureColumns, columns_of_rows, columns_of_table
from libs.indicators.features import Scale, feature_row, read_table
from libs.indicators.settings import KernelSettings

SETTINGS = KernelSettings()
COUNTS = ("size_known", "large_known", "candles_complete")
wide = st.integers(0, 1 << 60) | st.integers(0, 10**6) | st.sampled_from([0, (1 << 53) + 1, (1 << 54) + 2])


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Rows of integers as a kernel may give them: sold is at most the whole, a CVD may be negative."""
    table = np.zeros(draw(st.integers(1, 4)), at.EVALUATION)
    for row in range(len(table)):
        for name in at.EVALUATION_COLUMNS[: at.E_ATR]:
            table[name][row] = draw(wide)
        for name in COUNTS:
            table[name][row] = draw(st.integers(0, 5_760))
        table["price"][row] = draw(st.sampled_from([0, 1, 600_001, at.PRICE_LIMIT - 1]))
        table["atr"][row] = draw(st.integers(0, at.PRICE_LIMIT << at.ATR_FRACTION_BITS) | st.integers(0, 10**10))
        table["candles"][row] = draw(st.sampled_from([0, 13, 14, 500]))
        for number in (1, 2, 3):
            table[f"signed_{number}"][row] *= draw(st.sampled_from([-1, 1]))
            table[f"known_{number}"][row] = draw(st.integers(0, 960))
        for level in ("95", "99"):
            table[f"large_sell_{level}"][row] = table[f"large_{level}"][row] // draw(st.integers(1, 9))
        ranked = draw(st.integers(0, 288))
        table["atr_ranked"][row], table["atr_rank"][row] = ranked, draw(st.integers(0, ranked))
    return table


def bits(columns: FeatureColumns, row: int) -> dict[str, bytes]:
    return {name: columns.values[place, row].tobytes() for name, place in FEATURES.items()}


@given(tables(), st.integers(0, 5) | st.just(12), st.integers(0, 2) | st.just(12))
def test_many_rows_and_one_row_are_the_same_floats(
    table: np.ndarray[tuple[int], np.dtype[np.void]], price_decimals: int, quantity_decimals: int
) -> None:
    scale = Scale("BTCUSDT", price_decimals, quantity_decimals)
    whole = columns_of_table(table, scale, SETTINGS)
    for number, row in enumerate(read_table(table)):
        single = columns_of_rows([feature_row(row, scale, SETTINGS)])
        assert bits(single, 0) == bits(whole, number)
        assert single.atr_ticks[0] == whole.atr_ticks[number]
        assert single.price_ticks[0] == whole.price_ticks[number]
        assert single.time_ms[0] == whole.time_ms[number]


def test_what_is_unknown_is_no_number() -> None:
    columns = columns_of_table(np.zeros(1, at.EVALUATION), Scale("BTCUSDT", 1, 3), SETTINGS)
    unknown = {name for name, place in FEATURES.items() if math.isnan(columns.values[place, 0])}
    assert unknown == {"price", "atr", "atr_rank", "large_p95", "large_p99", "vwap_5m", "vwap_30m", "vwap_4h"}
