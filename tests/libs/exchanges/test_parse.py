"""Payloads to structs: recorded lines, documented shapes, and whatever else a network brings."""

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.exchanges.binance import answers
from libs.exchanges.binance.parse import AggTradeMessage, parse_batch
from libs.exchanges.binance.rest import kline_weight, require_symbols
from libs.exchanges.coinbase.parse import parse_ticker
from libs.exchanges.decimals import decimals_of_step, scaled, scaled_column
from libs.exchanges.errors import MalformedAnswer
from libs.kit.errors import BadMessage, UserError

RECORDINGS = Path(__file__).parents[2] / "golden" / "recordings"
AGG_TRADE = (
    b'{"e":"aggTrade","E":1763712000123,"s":"BTCUSDT","a":3123456789,"p":"91234.50","q":"0.250","nq":"0.200",'
    b'"f":6543210001,"l":6543210004,"T":1763712000101,"m":true,"st":1}'
)
FORCED = (
    b'{"e":"forceOrder","E":1763712003456,"ps":"ETHUSDT","st":1,"o":{"s":"ETHUSDT","S":"SELL","o":"LIMIT","f":"IOC",'
    b'"q":"12.340","p":"2801.11","ap":"2809.87","X":"FILLED","l":"0.540","z":"12.340","T":1763712003448}}'
)


class _Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


def recorded(name: str, stream: str) -> list[bytes]:
    """Payloads of one stream of a recording, without envelope and receive time."""
    with gzip.open(RECORDINGS / name) as lines:
        envelopes = [
            msgspec.json.decode(line.partition(b" ")[2], type=_Envelope) for line in lines if stream.encode() in line
        ]
    return [bytes(envelope.data) for envelope in envelopes]


def test_recorded_mark_prices_across_a_funding_are_read_whole() -> None:
    payloads = recorded("um_btcusdt_trades_mark_20230405T0000.raw.gz", "markPrice")
    parsed = parse_batch(payloads)
    assert parsed.malformed == []
    marks = parsed.market.mark_prices
    assert len(marks) == len(payloads) > 10
    assert marks[0].mark_price == "28155.10000000"
    assert marks[0].next_funding_time == 1680652800000 <= marks[0].event_time, (
        "the first message still names its own hour"
    )
    assert marks[1].next_funding_time == 1680681600000
    assert marks[0].mark_price_average is None, "the field is younger than the recording"
    assert parsed.market.newest_event_time == marks[-1].event_time


def test_mark_prices_of_all_symbols_come_as_one_list() -> None:
    payloads = recorded("um_btcusdt_trades_mark_20230405T0000.raw.gz", "markPrice")[:2]
    together = b"[" + b",".join(payloads).replace(b"BTCUSDT", b"ETHUSDT", 1) + b"]"
    parsed = parse_batch([together])
    assert (parsed.malformed, parsed.replies) == ([], [])
    assert [one.symbol for one in parsed.market.mark_prices] == ["ETHUSDT", "BTCUSDT"]
    assert parsed.market.mark_prices == [
        msgspec.structs.replace(one, symbol=symbol)
        for one, symbol in zip(parse_batch(payloads).market.mark_prices, ("ETHUSDT", "BTCUSDT"), strict=True)
    ]
    broken = b'[{"e":"markPriceUpdate"}]'
    assert [payload for payload, _ in parse_batch([broken]).malformed] == [broken]


def test_recorded_trades_as_aggregate_trades_keep_every_field() -> None:
    with gzip.open(RECORDINGS / "um_btcusdt_aggtrades_derived_20240808.csv.gz", "rt") as lines:
        rows = [line.strip().split(",") for line in lines][1:200]
    payloads = [
        msgspec.json.encode(
            {
                "m": row[6].lower() == "true",
                "s": "BTCUSDT",
                "a": int(row[0]),
                "p": row[1],
                "q": row[2],
                "f": int(row[3]),
            }
            | {"l": int(row[4]), "T": int(row[5]), "E": int(row[5]) + 30, "e": "aggTrade", "new": {"x": [1]}}
        )
        for row in rows
    ]
    trades = parse_batch(payloads).market.trades
    assert [(t.agg_id, t.price, t.quantity, t.trade_time) for t in trades] == [
        (int(row[0]), row[1], row[2], int(row[5])) for row in rows
    ]


def test_the_documented_messages() -> None:
    parsed = parse_batch([AGG_TRADE, FORCED, b'{"result":null,"id":7}', b'{"e":"kline","E":1,"k":{}}'])
    (trade,) = parsed.market.trades
    assert trade == AggTradeMessage(
        symbol="BTCUSDT",
        agg_id=3123456789,
        price="91234.50",
        quantity="0.250",
        first_trade_id=6543210001,
        last_trade_id=6543210004,
        trade_time=1763712000101,
        buyer_is_maker=True,
        event_time=1763712000123,
    )
    (order,) = parsed.market.forced_orders
    assert (order.symbol, order.side, order.filled_quantity, order.average_price) == (
        "ETHUSDT",
        "SELL",
        "12.340",
        "2809.87",
    )
    assert order.product == "linear"
    assert parsed.replies == [(7, "")]
    assert parsed.malformed == []
    assert parse_batch([FORCED.replace(b'"st":1', b'"st":2')]).market.forced_orders[0].product == "inverse"


BARE = FORCED.replace(b'"ps":"ETHUSDT","st":1,', b"")


@pytest.mark.parametrize(
    ("payload", "product"),
    [
        (BARE, "linear"),  # before 2026-06-30
        (FORCED, "linear"),  # as documented
        (FORCED.replace(b'"st":1', b'"st":2'), "inverse"),
        # As captured in August and October 2026 by several public recorders: inside `o`.
        (BARE.replace(b"}}", b',"ps":"ETHUSDT","st":1}}'), "linear"),
        (BARE.replace(b"}}", b',"ps":"ETHUSD","st":2}}'), "inverse"),
        (b'{"stream":"!forceOrder@arr","data":' + FORCED + b"}", None),  # no envelope is asked for
    ],
)
def test_the_product_of_a_forced_order_stands_beside_it_or_inside_or_nowhere(
    payload: bytes, product: str | None
) -> None:
    orders = parse_batch([payload]).market.forced_orders
    assert [order.product for order in orders] == ([] if product is None else [product])


def test_a_refused_subscription_carries_its_reason() -> None:
    refused = parse_batch([b'{"code":2,"msg":"Invalid request: bad stream","id":3}', b'{"error":{"code":1},"id":4}'])
    assert refused.replies == [(3, "Invalid request: bad stream"), (4, '{"code":1}')]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"hello":1}',
        AGG_TRADE.replace(b'"a":3123456789', b'"a":"x"'),
        AGG_TRADE.replace(b'"p":"91234.50",', b""),
        AGG_TRADE[:-20],
        b"\xff\xfe",
        b'{"e":"aggTrade","s":"BTC\xffUSDT"}',
        AGG_TRADE.replace(b"BTC", b"BTC\xff"),
        FORCED.replace(b"ETH", b"ETH\xff"),
        b'{"id":7,"msg":"\xff"}',
        b"[" * 5000,
        b'{"e":"aggTrade","x":' + b"[" * 5000,
        b'{"error":' + b'{"x":' * 5000,
        AGG_TRADE.replace(b'"a":3123456789', b'"a":' + b"9" * 5000),
    ],
)
def test_a_malformed_message_is_reported_beside_the_good_ones(payload: bytes) -> None:
    parsed = parse_batch([AGG_TRADE, payload, AGG_TRADE])
    assert len(parsed.market.trades) == 2
    assert [item[0] for item in parsed.malformed] == [payload]


# Random bytes hardly ever get as far as a text or a depth, so the fuzz also damages messages that were good.
damaged = st.builds(
    lambda text, at, byte: text[:at] + byte + text[at + 1 :],
    st.sampled_from([AGG_TRADE, FORCED]),
    st.integers(0, len(FORCED)),
    st.binary(max_size=2),
)


@example(payloads=[b'{"e":"aggTrade","s":"BTC\xffUSDT"}'])
@example(payloads=[b"[" * 5000])
@example(payloads=[b'{"e":' + b"[" * 5000])
@given(st.lists(st.binary(max_size=80) | damaged, max_size=5))
def test_no_bytes_make_the_parser_raise(payloads: list[bytes]) -> None:
    parsed = parse_batch([*payloads, AGG_TRADE])
    assert parsed.market.trades[-1] == parse_batch([AGG_TRADE]).market.trades[0]
    assert len(parsed.market.trades) + len(parsed.market.forced_orders) + len(parsed.malformed) <= len(payloads) + 1


@given(st.integers(0, 10**14), st.integers(0, 8), st.integers(0, 3))
def test_scaling_is_exact_with_and_without_trailing_zeros(value: int, decimals: int, zeros: int) -> None:
    digits = str(value).rjust(decimals + 1, "0")
    text = digits[: len(digits) - decimals] + ("." + digits[len(digits) - decimals :] if decimals else "")
    longer = (text if "." in text or not zeros else text + ".") + "0" * zeros
    assert scaled(text, decimals) == scaled(longer, decimals) == value
    assert scaled(text, decimals + 2) == value * 100


decimal_texts = st.from_regex(r"[0-9]{1,6}(\.[0-9]{0,4})?", fullmatch=True)


@given(st.lists(decimal_texts, max_size=12), st.integers(0, 5))
def test_a_column_scales_as_its_texts_do_one_by_one(texts: list[str], decimals: int) -> None:
    def one_by_one() -> list[int] | str:
        try:
            return [scaled(text, decimals) for text in texts]
        except BadMessage as error:
            return error.reason

    def column() -> list[int] | str:
        try:
            return scaled_column(texts, decimals)
        except BadMessage as error:
            return error.reason

    assert column() == one_by_one()


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadMessage, match="finer_than_scale"):
        scaled("0.15", 1)
    with pytest.raises(BadMessage, match="bad_decimal"):
        scaled("1e5", 1)
    with pytest.raises(BadMessage, match="bad_decimal"):
        scaled_column(["1.0", "x.0"], 1)
    assert [decimals_of_step(step) for step in ("0.10", "1", "1.000", "0.00001")] == [1, 0, 0, 5]


def test_exchange_information_gives_scales_from_filters_and_names_what_is_unknown() -> None:
    def row(symbol: str, tick: str, step: str) -> dict[str, object]:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": "1"},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "LOT_SIZE", "stepSize": step},
        ]
        return {"symbol": symbol, "status": "TRADING", "pricePrecision": 8, "filters": filters}

    body = msgspec.json.encode(
        {
            "symbols": [
                row("BTCUSDT", "0.10", "0.001"),
                row("ETHUSDT", "0.01", "1"),
                {**row("X", "1", "1"), "filters": []},
            ]
        }
    )
    known = answers.parse_instruments(body)
    assert {symbol: (item.price_decimals, item.quantity_decimals) for symbol, item in known.items()} == {
        "BTCUSDT": (1, 3),
        "ETHUSDT": (2, 0),
    }
    with pytest.raises(UserError, match=r"no symbol BTCUSD .*did you mean BTCUSDT"):
        require_symbols(["BTCUSD"], known)


def test_the_stated_weight_limit_is_read_and_nothing_else_is_taken_for_it() -> None:
    orders = {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200}
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
    assert answers.parse_weight_limit(msgspec.json.encode({"rateLimits": [orders, weight]})) == 6000
    assert answers.parse_weight_limit(msgspec.json.encode({"rateLimits": [orders]})) is None
    assert answers.parse_weight_limit(b'{"symbols": []}') is None
    zero = weight | {"limit": 0}
    assert answers.parse_weight_limit(msgspec.json.encode({"rateLimits": [zero]})) is None


def test_periods_end_where_they_end_whatever_the_venue_stamps() -> None:
    taker = b'[{"buySellRatio":"1.0931","buyVol":"2201.1130","sellVol":"2013.6020","timestamp":"1763711700000"}]'
    ratio = (
        b'[{"symbol":"B","longShortRatio":"1.84","longAccount":"0.64","shortAccount":"0.36","timestamp":1763712000000}]'
    )
    (first,) = answers.parse_ratio_history(taker, "B", "taker_long_short_ratio", "5m")
    (second,) = answers.parse_ratio_history(ratio, "B", "top_long_short_account_ratio", "5m")
    assert first.time == second.time == 1763712000000
    funding = b'[{"symbol":"B","fundingRate":"-0.00011234","fundingTime":1763683200017,"markPrice":""}]'
    (settled,) = answers.parse_funding_rates(funding, "B")
    assert (settled.time, settled.values) == (1763683200000, {"funding_rate": "-0.00011234"})
    assert [kline_weight(limit) for limit in (99, 100, 499, 500, 1000, 1001)] == [1, 2, 2, 5, 5, 10]
    with pytest.raises(MalformedAnswer):
        answers.parse_funding_rates(b'{"code":-1}', "B")


def test_coinbase_ticker() -> None:
    body = b'{"trade_id":1,"price":"91290.01","size":"0.1","time":"2026-11-21T08:00:00.123456Z","bid":"1","ask":"2"}'
    ticker = parse_ticker(body, "BTC-USD")
    assert (ticker.price, ticker.time) == ("91290.01", 1795248000123)
    for wrong in (b'{"message":"NotFound"}', b'{"price":"x","time":"2026-11-21T08:00:00Z"}', b"<html>"):
        with pytest.raises(MalformedAnswer):
            parse_ticker(wrong, "BTC-USD")
