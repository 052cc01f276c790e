"""What the doctor concludes from what it has read: how old prices are, and when a comparison is over."""

from collections.abc import Mapping
from decimal import Decimal

from libs.exchanges import Ticker
from libs.trading.execution.reconciliation import FindingKey, Reconciled
from services.console.doctor_facts import MOST_LOOKS, data_prices, sure_findings


def ticker(name: str, at_ms: int) -> Ticker:
    return Ticker(product=name, price="2.5", time=at_ms)


def test_prices_are_as_old_as_the_newest_trade_of_the_venue() -> None:
    found = data_prices({"A": ticker("A", 1_000), "B": ticker("B", 9_000)}, 21_000)
    assert (found.prices["A"], found.age_ms) == (Decimal("2.5"), 12_000)
    assert data_prices({"A": ticker("A", 22_000)}, 21_000).age_ms == 0


def test_a_venue_that_does_not_say_when_has_prices_of_no_known_age() -> None:
    assert data_prices({"A": ticker("A", 0)}, 21_000).age_ms is None
    assert data_prices({}, 21_000).age_ms is None


async def test_where_something_always_differs_the_looks_have_an_end() -> None:
    looks, waits = [], []

    async def look(suspected: Mapping[FindingKey, int]) -> Reconciled:
        looks.append(suspected)
        return Reconciled(look_again_ms=len(looks))

    async def wait_until(at_ms: int) -> None:
        waits.append(at_ms)
        assert len(waits) < 100

    assert await sure_findings(look, wait_until) == ()
    assert len(looks) == MOST_LOOKS
    assert waits == [1, 2, 3, 4]
