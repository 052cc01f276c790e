"""Decimals with fewer decimals: exactly the quotient, or a clear no."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from libs.indicators.kernel import warm_up
from libs.indicators.kernel.scales import exact_quotients

warm_up()
MOST = 10**18 - 1


def divided(values: list[int], decimals: int) -> tuple[bool, list[int]]:
    halves = np.zeros(2 * len(values), np.int64)
    halves[::2] = values
    quotients = np.empty(len(values), np.int64)
    return exact_quotients(halves, decimals, quotients), quotients.tolist()


@given(st.integers(0, 18), st.lists(st.integers(1, MOST), min_size=1, max_size=40))
def test_multiples_are_divided_exactly(decimals: int, numbers: list[int]) -> None:
    quotients = [max(1, number // 10**decimals) for number in numbers]
    assert divided([number * 10**decimals for number in quotients], decimals) == (True, quotients)


@given(st.integers(0, 18), st.lists(st.integers(-MOST, MOST), min_size=1, max_size=20))
def test_whatever_is_no_positive_multiple_is_found(decimals: int, numbers: list[int]) -> None:
    expected = all(number > 0 and number % 10**decimals == 0 for number in numbers)
    assert divided(numbers, decimals)[0] == expected


@given(st.integers(1, 18), st.integers(1, MOST), st.integers(0, 400))
def test_one_among_many_is_found(decimals: int, wrong: int, place: int) -> None:
    values = [10**decimals] * 401
    values[place] = wrong
    assert divided(values, decimals)[0] == (wrong % 10**decimals == 0)
