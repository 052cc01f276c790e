"""Values that fit their type and would still end a reader are refused by the codec, for everybody, with the field named."""

import json
from decimal import Decimal

import msgspec
import pytest

from libs.contracts.codec import MAX_RECORD_BYTES, decode, decode_as, encode, encode_value, header_map
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    Hole,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    OpenGap,
    TradeGapChanged,
)
from libs.contracts.plausible import LATEST_MS, check
from libs.contracts.signals import IndicatorComputed
from libs.kit.errors import BadMessage
from tests.golden.samples import EVENTS, FRAME, sample

MARK, FORCED = sample(MarkPriceObserved), sample(LiquidationObserved)
USELESS_NUMBERS = ["NaN", "sNaN", "-Infinity", "1E+999999", "1E-999999"]


def _changed(event: msgspec.Struct, **fields: object) -> bytes:
    return json.dumps(json.loads(msgspec.json.encode(event)) | fields).encode()


@pytest.mark.parametrize("number", USELESS_NUMBERS)
def test_numbers_that_nobody_can_calculate_with(number: str) -> None:
    with pytest.raises(BadMessage, match=r"implausible: MarkPriceObserved\.mark_price"):
        decode_as(MarkPriceObserved, _changed(MARK, mark_price=number))
    with pytest.raises(BadMessage, match=r"implausible: MarketIndicatorObserved\.values"):
        decode_as(MarketIndicatorObserved, _changed(sample(MarketIndicatorObserved), values={"open_interest": number}))


def test_numbers_inside_of_nested_structures() -> None:
    event = sample(IndicatorComputed)
    assert isinstance(event, IndicatorComputed)
    windows = (*event.windows[:2], msgspec.structs.replace(event.windows[2], cvd=Decimal("NaN")))
    with pytest.raises(BadMessage, match="windows cvd is not finite"):
        check(msgspec.structs.replace(event, windows=windows))


@pytest.mark.parametrize("field", ["average_price", "order_price"])
def test_negative_prices(field: str) -> None:
    with pytest.raises(BadMessage, match=f"{field} is (negative|not positive)"):
        decode_as(LiquidationObserved, _changed(FORCED, **{field: "-0.1"}))


@pytest.mark.parametrize("field", ["quantity", "average_price"])
@pytest.mark.parametrize("number", ["0", "-3", "0.000", "NaN"])
def test_a_liquidation_of_nothing_or_for_nothing_is_none(field: str, number: str) -> None:
    with pytest.raises(BadMessage, match=rf"implausible: LiquidationObserved\.{field} is not"):
        decode_as(LiquidationObserved, _changed(FORCED, **{field: number}))


@pytest.mark.parametrize("field", ["quantity", "average_price"])
def test_a_liquidation_of_more_than_there_is(field: str) -> None:
    with pytest.raises(BadMessage, match=rf"implausible: LiquidationObserved\.{field} is not below 10\^20"):
        decode_as(LiquidationObserved, _changed(FORCED, **{field: "1E+40"}))
    assert decode_as(LiquidationObserved, _changed(FORCED, **{field: "99999999999999999999"}))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.SCHEMA)
def test_text_that_the_database_cannot_hold_is_refused_in_every_field_of_every_event(event: msgspec.Struct) -> None:
    names = [name for name in event.__struct_fields__ if isinstance(getattr(event, name), str)]
    free = [field.name for field in msgspec.structs.fields(event) if field.type in (str, str | None)]
    assert "event_id" in names
    for name in {*names} & {*free}:
        with pytest.raises(BadMessage, match=rf"implausible: \w+\.{name} (contains a NUL|.* is no symbol)"):
            check(msgspec.structs.replace(event, **{name: "a\0b"}))


def test_text_in_keys_and_nested_structures_is_looked_at_too() -> None:
    indicator = sample(MarketIndicatorObserved)
    with pytest.raises(BadMessage, match="values contains a NUL"):
        decode_as(MarketIndicatorObserved, _changed(indicator, values={"a\0b": "1"}))
    hole = Hole(FRAME.slices[0].symbol, 0, 1, 0, 0, "a\0b")
    with pytest.raises(BadMessage, match="holes cause contains a NUL"):
        check(msgspec.structs.replace(FRAME, holes=(hole,)))


@pytest.mark.parametrize("time", [-2, LATEST_MS, 10**30])
def test_times_outside_of_this_era(time: int) -> None:
    for field in ("event_time_ms", "next_funding_time_ms"):
        with pytest.raises(BadMessage, match="is no time between"):
            decode_as(MarkPriceObserved, _changed(MARK, **{field: time}))


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "A|B",
        "A:0",
        "A B",
        "A\x00B",
        "A\n",
        "A" * 41,
        "../../ESCAPE",
        "/A",
        "A\\B",
        "..",
        "A.B",
        "a",
        "A=B",
        "A\u202eB",
        "A\uff0fB",
    ],
)
def test_symbols_that_ids_and_tables_cannot_carry(symbol: str) -> None:
    with pytest.raises(BadMessage, match="is no symbol"):
        decode_as(MarkPriceObserved, _changed(MARK, symbol=symbol))


def test_symbols_of_the_venue_in_another_script_are_symbols() -> None:
    assert decode_as(MarkPriceObserved, _changed(MARK, symbol="币安人生USDT")).symbol == "币安人生USDT"


def test_the_parts_of_a_frame_are_looked_at_too() -> None:
    far = msgspec.structs.replace(FRAME.slices[0], watermark_ms=LATEST_MS)
    endless = Hole(FRAME.slices[0].symbol, 0, 2**63, 0, 0, "retention")
    for frame in (
        msgspec.structs.replace(FRAME, slices=(far, *FRAME.slices[1:])),
        msgspec.structs.replace(FRAME, holes=(endless,)),
    ):
        with pytest.raises(BadMessage, match="implausible"):
            decode_as(AggTradeFrame, encode_value(frame))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"first_missing_id": -10}, "first_missing_id is negative"),
        ({"first_missing_id": -10, "last_missing_id": -1}, "missing_id is negative"),
        ({"first_missing_id": 9, "last_missing_id": 5}, "last_missing_id 5 is before the first, 9"),
        ({"first_missing_id": 1, "last_missing_id": 10**12 + 1}, "last_missing_id 1000000000001 is further"),
        ({"unfilled": -5}, "unfilled is negative"),
        ({"first_missing_id": 5, "last_missing_id": 9, "unfilled": 6}, "unfilled 6 is more than the gap has"),
        ({"last_missing_id": 2**63}, "last_missing_id does not fit 64 bits"),
        ({"first_missing_id": 2**63 - 9, "last_missing_id": 2**63 - 1}, "last_missing_id has no successor of 64 bits"),
    ],
)
def test_gaps_of_ids_that_no_trade_can_have(fields: dict[str, int], words: str) -> None:
    gap = sample(TradeGapChanged)
    with pytest.raises(BadMessage, match=rf"implausible: TradeGapChanged\.\w*{words}"):
        decode_as(TradeGapChanged, _changed(gap, **fields))
    known = OpenGap(0, 9, 0, 0, "retention", 0)
    report = sample(FeedStatusChanged)
    with pytest.raises(BadMessage, match=f"open_gaps .*{words}"):
        check(msgspec.structs.replace(report, open_gaps=(msgspec.structs.replace(known, **fields),)))
    if "unfilled" not in fields:
        hole = msgspec.structs.replace(Hole(FRAME.slices[0].symbol, 0, 9, 0, 0, "retention"), **fields)
        with pytest.raises(BadMessage, match=f"holes .*{words}"):
            check(msgspec.structs.replace(FRAME, holes=(hole,)))


def test_a_gap_of_one_id_none_of_which_was_filled() -> None:
    gap = sample(TradeGapChanged)
    fields = {"first_missing_id": 0, "last_missing_id": 0, "unfilled": 1}
    assert decode_as(TradeGapChanged, _changed(gap, **fields)).unfilled == 1


def test_a_header_without_a_value_is_an_empty_one() -> None:
    headers = header_map([("schema", MARK.SCHEMA.encode()), ("content-type", None)])  # type: ignore[list-item]
    with pytest.raises(BadMessage, match="wrong_content_type"):
        decode(encode_value(MARK), headers)


def test_a_record_that_could_not_be_copied_is_refused_while_one_below_the_limit_is_read() -> None:
    value, headers = encode(MARK)
    room = MAX_RECORD_BYTES - len(value) - sum(len(name) + len(content) for name, content in headers)
    assert decode(value + b" " * room, header_map(headers)) == MARK
    with pytest.raises(BadMessage, match="too_large"):
        decode(value + b" " * (room + 1), header_map(headers))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.SCHEMA)
def test_what_the_product_says_is_plausible(event: msgspec.Struct) -> None:
    check(event)
