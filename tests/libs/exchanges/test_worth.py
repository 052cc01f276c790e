"""Which price a fee is valued with, and how long an asset rests whose price nobody tells."""

from decimal import Decimal

from libs.exchanges.worth import Rests, price_in

PRICES = {60_000: Decimal(6), 180_000: Decimal(7)}


def test_a_minute_without_a_trade_has_the_price_before_it_and_never_a_later_one() -> None:
    assert [price_in(PRICES, minute_ms) for minute_ms in (60_000, 120_000, 180_000)] == [6, 6, 7]
    assert price_in(PRICES, 0) is None
    assert price_in(PRICES, 240_000) is None, "it is told later"
    assert price_in({}, 60_000) is None


def test_an_asset_rests_ever_longer_until_it_is_told() -> None:
    rests = Rests(first=1.0, longest=3.0)
    assert rests.is_due("BNB", 10.0)
    assert rests.missed("BNB", 10.0) == 1.0
    assert not rests.is_due("BNB", 10.9)
    assert rests.is_due("BNB", 11.0)
    assert rests.is_due("FDUSD", 10.0)
    assert [rests.missed("BNB", 11.0), rests.missed("BNB", 13.0)] == [2.0, 3.0]
    rests.told("BNB")
    assert rests.missed("BNB", 20.0) == 1.0
