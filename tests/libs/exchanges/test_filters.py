"""What the venue's answer says about orders reaches the trading rules as it was said."""

from decimal import Decimal

import pytest

from libs.exchanges import Instrument
from libs.exchanges.binance.answers import parse_instruments
from libs.exchanges.filters import symbol_filters
from libs.kit.errors import BadMessage

ROW = (
    b'{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","contractType":"PERPETUAL","baseAsset":"BTC","quoteAsset":"USDT",'
    b'"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10","minPrice":"556.80"},'
    b'{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},'
    b'{"filterType":"MARKET_LOT_SIZE","minQty":"0.002","maxQty":"120","stepSize":"0.001"},'
    b'{"filterType":"MIN_NOTIONAL","notional":"100"}]},'
    b'{"symbol":"DOGEUSDT","status":"TRADING","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.00001"},'
    b'{"filterType":"LOT_SIZE","stepSize":"1","minQty":"1","maxQty":"0"}]}]}'
)


def test_market_orders_have_their_own_lots() -> None:
    known = parse_instruments(ROW)
    bitcoin = symbol_filters(known["BTCUSDT"], max_leverage=20)
    assert (bitcoin.tick, bitcoin.quantity_step) == (Decimal("0.10"), Decimal("0.001"))
    assert (bitcoin.min_quantity, bitcoin.max_quantity) == (Decimal("0.002"), Decimal(120))
    assert (bitcoin.min_notional, bitcoin.max_leverage) == (Decimal(100), 20)
    doge = symbol_filters(known["DOGEUSDT"])
    assert (doge.min_quantity, doge.max_quantity, doge.min_notional) == (Decimal(1), None, Decimal(0))


def test_prices_and_quantities_are_rounded_to_what_an_order_may_name() -> None:
    bitcoin = symbol_filters(parse_instruments(ROW)["BTCUSDT"])
    assert bitcoin.price_on_tick(Decimal("100.07")) == Decimal("100.1")
    assert bitcoin.quantity_on_step(Decimal("0.0079")) == Decimal("0.007")


def test_a_filter_that_makes_no_sense_is_refused() -> None:
    instrument = next(iter(parse_instruments(ROW).values()))
    changed = {name: getattr(instrument, name) for name in Instrument.__struct_fields__}
    with pytest.raises(BadMessage, match="bad_filter"):
        symbol_filters(Instrument(**(changed | {"tick_size": "0.00"})))
    with pytest.raises(BadMessage, match="bad_number"):
        symbol_filters(Instrument(**(changed | {"min_notional": "five"})))
