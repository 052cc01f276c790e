"""Slow inputs as facts: once, in time order, with the numbers the venue sent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.exchanges import IndicatorValue, MarkPrice, Ticker
from libs.kit.errors import BadMessage
from services.indicator_ingest.facts import (
    MarkPriceSampler,
    Novelty,
    coinbase_product,
    indicator_event,
    next_due,
    premium_value,
)


def value(time: int, number: str = "1.5", symbol: str = "BTCUSDT") -> IndicatorValue:
    return IndicatorValue(symbol=symbol, kind="open_interest", period="5m", time=time, values={"open_interest": number})


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


@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=8))
def test_each_instant_passes_once_and_in_order(answers: list[list[int]]) -> None:
    novelty, passed = Novelty(), []
    for answer in answers:
        passed += [item.time for item in novelty.select([value(time) for time in answer])]
    assert passed == sorted(set(passed))
    everything = {time for answer in answers for time in answer}
    assert max(passed, default=-1) == max(everything, default=-1)


def test_a_restart_doubles_nothing() -> None:
    novelty = Novelty()
    novelty.remember(indicator_event(value(10), "binance"))
    assert [item.time for item in novelty.select([value(5), value(10), value(15)])] == [15]
    assert [item.time for item in novelty.select([value(5, symbol="ETHUSDT")])] == [5]
    assert indicator_event(value(10), "a").event_id == indicator_event(value(10, "2"), "b").event_id
    assert indicator_event(value(10), "a").event_id != indicator_event(value(11), "a").event_id


@pytest.mark.parametrize("number", ["", "NaN", "Infinity", "1,5", "null"])
def test_what_is_no_number_is_no_fact(number: str) -> None:
    with pytest.raises(BadMessage, match="bad_number"):
        indicator_event(value(10, number), "binance")


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


def test_premium_in_percent_says_which_price_it_used() -> None:
    coinbase, spot = Ticker(product="BTC-USD", price="101", time=5), Ticker(product="BTCUSDT", price="100.0", time=0)
    event = indicator_event(premium_value("BTCUSDT", coinbase, spot, spot=True, time=15_000), "binance")
    assert event.values == {
        "premium_percent": Decimal("1.00000000"),
        "coinbase_price": Decimal("101"),
        "venue_price": Decimal("100.0"),
        "spot": Decimal(1),
    }
    with pytest.raises(BadMessage):
        premium_value("BTCUSDT", coinbase, Ticker(product="BTCUSDT", price="0", time=0), spot=True, time=1)
    assert [coinbase_product(asset) for asset in ("BTC", "1000PEPE")] == ["BTC-USD", "PEPE-USD"]


@given(st.integers(0, 10**13), st.integers(1, 10**7), st.integers(0, 10**6))
def test_a_schedule_is_a_grid_in_venue_time(now: int, every: int, offset: int) -> None:
    due = next_due(now, every, offset)
    assert now < due <= now + every
    assert (due - offset) % every == 0
