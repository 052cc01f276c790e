"""Answers of a venue that misbehaves: each is refused as what it is, and none of them makes a parser raise anything else."""

from collections.abc import Callable

import msgspec
import pytest

from libs.exchanges.binance import answers
from libs.exchanges.coinbase.parse import parse_ticker
from libs.exchanges.decimals import decimals_of_step, finite_decimal, scaled, scaled_column
from libs.exchanges.errors import MalformedAnswer
from libs.kit.errors import BadMessage

PARSERS: tuple[Callable[[bytes], object], ...] = (
    answers.parse_server_time,
    answers.parse_instruments,
    answers.parse_klines,
    lambda body: answers.parse_agg_trades(body, "BTCUSDT"),
    lambda body: answers.parse_open_interest(body, "BTCUSDT"),
    lambda body: answers.parse_open_interest_history(body, "BTCUSDT", "5m"),
    lambda body: answers.parse_ratio_history(body, "BTCUSDT", "taker_long_short_ratio", "5m"),
    lambda body: answers.parse_ratio_history(body, "BTCUSDT", "top_long_short_account_ratio", "5m"),
    lambda body: answers.parse_funding_rates(body, "BTCUSDT"),
    lambda body: answers.parse_price(body, "BTCUSDT"),
    answers.parse_prices,
    answers.parse_statuses,
    lambda body: parse_ticker(body, "BTC-USD"),
)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "body",
    [
        b'{"symbol":"BTC\xffUSDT"}',
        b'[{"symbol":"BTC\xffUSDT"}]',
        b"[" * 5000,
        b'{"x":' + b"[" * 5000,
        b'[{"x":' + b"[" * 5000,
        b'{"time":' + b"9" * 5000 + b"}",
    ],
)
def test_damaged_bytes_are_a_malformed_answer(parse: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        parse(body)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("stamp", ["abc", "\u00b2", "\u0661", "-5", "1_0", "", "9" * 5000, -5, 10**15, 10**400])
def test_a_time_that_is_none_is_a_malformed_answer(stamp: str | int) -> None:
    interest = (
        msgspec.json.encode([{"timestamp": stamp, "sumOpenInterest": "1"}])
        if not _is_huge(stamp)
        else (b'[{"timestamp":' + str(stamp).encode() + b',"sumOpenInterest":"1"}]')
    )
    ratio = interest.replace(b'"sumOpenInterest":"1"', b'"longShortRatio":"1","longAccount":"1","shortAccount":"1"')
    taker = interest.replace(b'"sumOpenInterest":"1"', b'"buySellRatio":"1","buyVol":"1","sellVol":"1"')
    with pytest.raises(MalformedAnswer, match="time"):
        answers.parse_open_interest_history(interest, "BTCUSDT", "5m")
    with pytest.raises(MalformedAnswer, match="time"):
        answers.parse_ratio_history(ratio, "BTCUSDT", "top_long_short_account_ratio", "5m")
    with pytest.raises(MalformedAnswer, match="time"):
        answers.parse_ratio_history(taker, "BTCUSDT", "taker_long_short_ratio", "5m")


def test_a_limit_in_a_body_that_cannot_be_read_is_a_malformed_answer() -> None:
    for body in (b'{"rateLimits":[{"rateLimitType":"\xff"}]}', b'{"x":' + b"[" * 5000):
        with pytest.raises(MalformedAnswer):
            answers.parse_weight_limit(body)


def _is_huge(stamp: str | int) -> bool:
    return isinstance(stamp, int) and stamp >= 1 << 64


def test_a_venue_that_states_an_absurd_time_does_not_set_our_clock() -> None:
    for stamp in (b"-1", b"4102444800000", b"9" * 30):
        with pytest.raises(MalformedAnswer, match="time"):
            answers.parse_server_time(b'{"serverTime":' + stamp + b"}")


def test_one_absurd_time_spoils_the_whole_list_of_prices() -> None:
    row = b'{"symbol":"BTCUSDT","price":"1.5","time":1763712000000}'
    without_time = b'{"symbol":"ETHUSDT","price":"2"}'
    prices = answers.parse_prices(b"[" + row + b"," + without_time + b"]")
    assert {symbol: (price.price, price.time) for symbol, price in prices.items()} == {
        "BTCUSDT": ("1.5", 1763712000000),
        "ETHUSDT": ("2", 0),
    }
    with pytest.raises(MalformedAnswer, match="time"):
        answers.parse_prices(b"[" + row + b"," + row.replace(b"1763712000000", b"-1") + b"]")


def test_symbols_without_filters_have_a_status_all_the_same() -> None:
    body = b'{"symbols":[{"symbol":"BTCUSDT","status":"TRADING"},{"symbol":"OLDUSDT","status":"HALT","filters":[]}]}'
    assert answers.parse_statuses(body) == {"BTCUSDT": "TRADING", "OLDUSDT": "HALT"}


def test_an_answer_about_another_symbol_is_malformed() -> None:
    interest = b'{"symbol":"ETHUSDT","openInterest":"1","time":1763712000000}'
    funding = b'[{"symbol":"ETHUSDT","fundingRate":"0.0001","fundingTime":1763683200017}]'
    price = b'{"symbol":"ETHUSDT","price":"1"}'
    assert answers.parse_open_interest(interest, "ETHUSDT").symbol == "ETHUSDT"
    assert answers.parse_funding_rates(funding, "ETHUSDT")[0].symbol == "ETHUSDT"
    assert answers.parse_price(price, "ETHUSDT").product == "ETHUSDT"
    with pytest.raises(MalformedAnswer, match="asked for BTCUSDT"):
        answers.parse_open_interest(interest, "BTCUSDT")
    with pytest.raises(MalformedAnswer, match="asked for BTCUSDT"):
        answers.parse_funding_rates(funding, "BTCUSDT")
    with pytest.raises(MalformedAnswer, match="asked for BTCUSDT"):
        answers.parse_price(price, "BTCUSDT")


@pytest.mark.parametrize(
    "step", ["0." + "0" * 40 + "1", "0." + "0" * 18 + "1", "\u00b2", "\u0661", "-1", ".1", "1_0", ""]
)
def test_a_step_that_no_scale_can_carry_is_a_malformed_answer(step: str) -> None:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": step}, {"filterType": "LOT_SIZE", "stepSize": "1"}]
    body = msgspec.json.encode({"symbols": [{"symbol": "BTCUSDT", "status": "TRADING", "filters": filters}]})
    with pytest.raises(MalformedAnswer, match="BTCUSDT"):
        answers.parse_instruments(body)
    assert decimals_of_step("0." + "0" * 17 + "1") == 18


@pytest.mark.parametrize("price", ["nan", "inf", "-Infinity", "1_0", " 1", "\u0661", "1e400", "1e-999999999", "1" * 65])
def test_a_coinbase_price_that_is_no_number_is_a_malformed_answer(price: str) -> None:
    with pytest.raises(MalformedAnswer, match="bad_number"):
        parse_ticker(msgspec.json.encode({"price": price, "time": "2026-11-21T08:00:00Z"}), "BTC-USD")


@pytest.mark.parametrize(
    "text",
    [
        *("1_0.5", "1.0_5", "\u0661.\u0665", "\u0661\u0660.50", "1\uff10.50", " 1.50", "1.50 ", "1.5\n", "1\t.5"),
        *(".-5", ".+5", "-", ".", "", "1.2.3", "1,2", "1e5", "1" * 5000 + ".00"),
    ],
)
def test_only_ascii_digits_with_a_point_and_a_sign_are_numbers(text: str) -> None:
    for decimals in (0, 1, 2, 5):
        with pytest.raises(BadMessage, match="bad_decimal"):
            scaled(text, decimals)
        with pytest.raises(BadMessage, match="bad_decimal"):
            scaled_column([text] * 3, decimals)
        with pytest.raises(BadMessage, match="bad_decimal"):
            scaled_column(["1.50", text], max(decimals, 2))


def test_signs_and_bare_points_are_read_as_before() -> None:
    texts = ["-1.5", "+1.5", ".5", "5.", "-.5"]
    assert [scaled(text, 1) for text in texts] == scaled_column(texts, 1) == [-15, 15, 5, 50, -5]
    assert scaled_column(["0." + "0" * 40] * 2, 2) == [0, 0], "more zeros than there are powers at hand"
    assert str(finite_decimal("-1.50e-7")) == "-1.50E-7"
