"""What executor and guard of an account cost of the venue's request weight, which all share who ask from one address."""

import pytest

from tests.chaos.money.weight import CLOCKS, Weighing

STATEMENT_A_MINUTE = 7
"""The guard reads it every five minutes, more seldom than is waited for here."""


@pytest.mark.parametrize(("positions", "most"), [(0, 250), (10, 600)])
def test_executor_and_guard_leave_the_address_to_those_who_read_the_market(positions: int, most: int) -> None:
    weighed = Weighing(positions).run()
    a_minute = weighed.resting.weights.total() / weighed.minutes + CLOCKS + STATEMENT_A_MINUTE
    print(f"{positions} positions, {a_minute:.0f} a minute\n{weighed.resting.table()}")
    assert a_minute <= most, weighed.resting.table()
    # The minute of ten entries, with everything that they make both look at.
    assert weighed.entering.weights.total() <= most + 100, weighed.entering.table()
    # Enough is asked: of each of both, at the pace that the promises need.
    counts = weighed.resting.counts
    assert counts["guard", "GET /fapi/v3/account"] >= 19 * weighed.minutes
    assert counts["guard", "GET /fapi/v1/openAlgoOrders"] >= 19 * weighed.minutes * positions
    assert counts["executor", "GET /fapi/v3/positionRisk"] >= 5 * weighed.minutes
    if positions:
        assert counts["executor", "GET /fapi/v1/openOrders"] >= 5 * weighed.minutes * positions
    assert counts["executor", "GET /fapi/v1/openAlgoOrders"] >= weighed.minutes * max(1, 5 * positions)


def test_a_guard_without_mark_prices_asks_more_often_than_once_a_second() -> None:
    weighed = Weighing(1, minutes=1, hears_marks=False).run()
    assert weighed.resting.counts["guard", "GET /fapi/v3/account"] >= 70, weighed.resting.table()
