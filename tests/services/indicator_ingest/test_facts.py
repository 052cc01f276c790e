"""Slow inputs as facts: once, in time order, with the numbers the venue sent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.codec import decode, encode
from libs.contracts.market import MarketIndicatorObserved
from libs.exchanges import IndicatorValue, Ticker
from libs.kit.errors import BadMessage
from services.indicator_ingest.facts import Novelty, coinbase_product, indicator_event, premium_value, raw_payload
from services.indicator_ingest.polling import next_due


def value(time: int, number: str = "1.5", symbol: str = "BTCUSDT") -> IndicatorValue:
    return IndicatorValue(symbol=symbol, kind="open_interest", period="5m", time=time, values={"open_interest": number})


def event_of(item: IndicatorValue, source: str = "binance") -> MarketIndicatorObserved:
    return indicator_event(item, source, 20)


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
    novelty.remember(event_of(value(10)))
    assert [item.time for item in novelty.select([value(5), value(10), value(15)])] == [15]
    assert [item.time for item in novelty.select([value(5, symbol="ETHUSDT")])] == [5]
    assert event_of(value(10), "a").event_id == event_of(value(10, "2"), "b").event_id
    assert event_of(value(10)).event_id != event_of(value(11)).event_id


@pytest.mark.parametrize("number", ["", "NaN", "Infinity", "1,5", "null"])
def test_what_is_no_number_is_no_fact(number: str) -> None:
    with pytest.raises(BadMessage, match="bad_number"):
        event_of(value(10, number))


def test_premium_in_percent_says_which_price_it_used() -> None:
    coinbase = Ticker(product="BTC-USD", price="101", time=14_900, raw=b'{"trade_id":7,"price":"101","size":0.5}')
    spot = Ticker(product="BTCUSDT", price="100.0", time=14_990, raw=b'{"a":9,"p":"100.0","T":14990}')
    event = event_of(premium_value("BTCUSDT", coinbase, spot, spot=True, time=15_000))
    assert event.values == {
        "premium_percent": Decimal("1.00000000"),
        "coinbase_price": Decimal("101"),
        "venue_price": Decimal("100.0"),
        "spot": Decimal(1),
        "coinbase_time_ms": Decimal(14_900),
        "venue_time_ms": Decimal(14_990),
    }
    legs = {"coinbase.trade_id": 7, "coinbase.price": "101", "coinbase.size": "0.5"}
    assert event.raw == legs | {"venue.a": 9, "venue.p": "100.0", "venue.T": 14990}
    with pytest.raises(BadMessage):
        premium_value("BTCUSDT", coinbase, Ticker(product="BTCUSDT", price="0", time=0), spot=True, time=1)
    assert [coinbase_product(asset) for asset in ("BTC", "1000PEPE")] == ["BTC-USD", "PEPE-USD"]


@given(st.integers(0, 10**13), st.integers(1, 10**7), st.integers(0, 10**6))
def test_a_schedule_is_a_grid_in_venue_time(now: int, every: int, offset: int) -> None:
    due = next_due(now, every, offset)
    assert now < due <= now + every
    assert (due - offset) % every == 0


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"a":"1.50","b":7,"c":true,"d":null}', {"a": "1.50", "b": 7, "c": True, "d": None}),
        (b'{"a":1.50,"b":{"c":[1,2]}}', {"a": "1.50", "b": '{"c":[1,2]}'}),
        (b'{"a":123456789012345678901}', {"a": "123456789012345678901"}),
        (b'{"a":"x\\u0000"}', None),
        (b'{"a":"\xff"}', None),
        (b'{"a":"' + b"x" * 5_000 + b'"}', None),
        (b"[1]", None),
        (b"{", None),
        (b"", None),
    ],
)
def test_the_payload_is_kept_exactly_or_not_at_all(raw: bytes, kept: dict[str, object] | None) -> None:
    assert raw_payload(raw) == kept
    event = indicator_event(replace(value(10), raw=raw), "binance", 20)
    encoded = encode(event)
    assert decode(encoded.value, dict(encoded.headers)) == event
