"""Settlements of funding as they are told: the same in any order."""

from decimal import Decimal
from itertools import permutations

from libs.trading.market import FundingRates

RATE = Decimal("0.0001")


def test_a_row_without_a_mark_price_takes_none_away() -> None:
    rows = [(1_000, RATE, None), (1_003, RATE, Decimal(60_000)), (1_007, RATE, None), (2_000, RATE, None)]
    for told in permutations(rows):
        rates = FundingRates.of("BTCUSDT", told)
        assert rates.time_ms.tolist() == [1_000, 2_000]
        assert rates.mark_price.tolist() == [60_000 * 10**8, 0]
