"""Mark prices of a stream as events: one each two seconds, with what they say about the index."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.exchanges import MarkPrice
from libs.exchanges.mark_prices import MarkPriceSampler, basis_percent
from libs.kit.errors import BadMessage


def mark(time: int, price: str = "100.5") -> MarkPrice:
    return MarkPrice(
        symbol="BTCUSDT",
        event_time=time,
        mark_price=price,
        index_price="100.4",
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate="-0.0001",
        next_funding_time=9,
    )


@given(st.lists(st.integers(0, 60_000), max_size=80))
def test_at_most_one_mark_price_each_two_seconds(times: list[int]) -> None:
    sampler = MarkPriceSampler()
    passed = [event.event_time_ms // 2000 for time in times if (event := sampler.select(mark(time))) is not None]
    assert passed == sorted(set(passed))
    sampler.remember("BTCUSDT", 70_000)
    assert sampler.select(mark(71_999)) is None
    event = sampler.select(mark(72_000))
    assert event is not None
    assert (event.mark_price, event.funding_rate) == (Decimal("100.5"), Decimal("-0.0001"))


def test_a_mark_price_that_cannot_be_read_does_not_use_up_its_step() -> None:
    sampler = MarkPriceSampler()
    with pytest.raises(BadMessage):
        sampler.select(mark(2000, "x"))
    assert sampler.select(mark(2001)) is not None


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 9_999)), max_size=80))
def test_nothing_that_was_told_lies_outside_of_the_extremes(told: list[tuple[int, int]]) -> None:
    sampler, since = MarkPriceSampler(), list[Decimal]()
    newest = -1
    for time, hundredths in sorted(told, key=lambda each: each[0]):
        price = Decimal(hundredths).scaleb(-2)
        event = sampler.select(mark(time, str(price)))
        since += [price] if time > newest else []
        if event is not None:
            assert (event.lowest_mark_price, event.highest_mark_price) == (min(since), max(since))
            assert event.mark_price == price
            since, newest = [], time


def test_an_absurd_mark_price_spoils_one_event_and_no_later_one() -> None:
    sampler = MarkPriceSampler()
    assert sampler.select(mark(2_000)) is not None
    assert sampler.select(mark(3_000, "1" * 50)) is None
    with pytest.raises(BadMessage, match="highest_mark_price has more than 40 digits"):
        sampler.select(mark(4_000))
    event = sampler.select(mark(5_000, "99"))
    assert event is not None
    assert (event.lowest_mark_price, event.highest_mark_price) == (Decimal(99), Decimal(99))


@pytest.mark.parametrize(
    ("price", "index", "basis"),
    [("101", "100", "1.00000000"), ("99.5", "100", "-0.50000000"), ("1", "3", "-66.66666667"), ("1", "0", None)],
)
def test_basis_is_the_mark_over_its_index_in_percent(price: str, index: str, basis: str | None) -> None:
    seen = replace(mark(2_000, price), index_price=index)
    assert basis_percent(seen) == (None if basis is None else Decimal(basis))
    event = MarkPriceSampler().select(seen)
    assert event is not None
    assert event.basis_percent == basis_percent(seen)


@pytest.mark.parametrize("at_ms", [2_500, 4_000])
def test_a_mark_price_of_nothing_is_nobodys_extreme(at_ms: int) -> None:
    sampler = MarkPriceSampler()
    sampler.select(mark(2_000, "100"))
    sampler.select(mark(at_ms, "0.00000000"))
    event = sampler.select(mark(6_000, "100.1"))
    assert event is not None
    assert (event.lowest_mark_price, event.highest_mark_price) == (Decimal("100.1"), Decimal("100.1"))
