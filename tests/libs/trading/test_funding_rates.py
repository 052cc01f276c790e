"""Settlements of funding as they are told: the same in any order."""

from decimal import Decimal
from itertools import permutations

import pytest

from libs.trading.market import FundingRates, ImpossibleRate

RATE = Decimal("0.0001")


def test_a_row_without_a_mark_price_takes_none_away() -> None:
    rows = [(1_000, RATE, None), (1_003, RATE, Decimal(60_000)), (1_007, RATE, None), (2_000, RATE, None)]
    for told in permutations(rows):
        rates = FundingRates.of("BTCUSDT", told)
        assert rates.time_ms.tolist() == [1_000, 2_000]
        assert rates.mark_price.tolist() == [60_000 * 10**8, 0]


@pytest.mark.parametrize("wrong", ["1.01", "-7", "1E+40", "NaN", "Infinity"])
def test_a_rate_that_cannot_be_is_named_with_its_symbol_and_time(wrong: str) -> None:
    rows = [(1_723_075_200_003, RATE, None), (1_723_104_000_001, Decimal(wrong), None)]
    with pytest.raises(ImpossibleRate, match=r"BTCUSDT has a funding rate of .* at 2024-08-08T08:00:00Z"):
        FundingRates.of("BTCUSDT", rows)
    assert len(FundingRates.of("BTCUSDT", [*rows[:1], (1_723_104_000_001, Decimal(-1), None)]).rate) == 2
