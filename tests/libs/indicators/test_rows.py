"""The kernel's search over trade times, at every length and bound, its blocks of 64 included."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.indicators.kernel.compiler import entry
from libs.indicators.kernel.rows import Int64, first_at_or_after


@entry
def before(times: Int64, bound: int) -> int:
    """Only compiled code may call the kernel's inner functions."""
    return int(first_at_or_after(times, np.int64(bound)))


def test_every_bound_of_every_length_around_the_blocks() -> None:
    for length in (0, 1, 63, 64, 65, 127, 128, 129, 200):
        times = np.arange(length, dtype=np.int64)
        for bound in range(-1, length + 2):
            assert before(times, bound) == np.searchsorted(times, bound), (length, bound)


@given(st.lists(st.integers(0, 300), max_size=400), st.integers(-1, 301))
def test_equal_times_belong_together(times: list[int], bound: int) -> None:
    column = np.array(sorted(times), np.int64)
    assert before(column, bound) == np.searchsorted(column, bound)
