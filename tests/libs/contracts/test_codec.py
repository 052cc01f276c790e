"""Every event survives the codec, and each way in which a record can be bad has its own reason."""

import json
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode, decode_as, encode, encode_value, header_map
from libs.contracts.export import event_types, json_schema
from libs.contracts.frames import FrameGate
from libs.contracts.market import AggTradeFrame, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.signals import SignalScored
from libs.contracts.timeline import TimelineHeartbeat
from libs.kit.errors import BadMessage
from tests.golden.samples import EVENTS, sample
from tests.libs.contracts.strategies import event_of

MARK = sample(MarkPriceObserved)


@pytest.mark.parametrize("kind", event_types(), ids=lambda kind: kind.SCHEMA)
@settings(max_examples=25)
@given(data=st.data())
def test_round_trip(kind: type, data: st.DataObject) -> None:
    event = data.draw(event_of(kind))
    encoded = encode(event, traceparent="00-1-2-01", observed_at_ms=5)
    back = decode(encoded.value, header_map(encoded.headers), (kind,))
    assert back == event
    assert encode_value(back) == encoded.value
    assert header_map(encoded.headers)["observed-at"] == b"5"


def test_mappings_in_another_order_are_the_same_bytes() -> None:
    def heartbeat(positions: dict[str, int]) -> bytes:
        fields: dict[str, dict[str, int]] = {"watermarks": {}, "frame_epochs": {}, "last_ids": {}}
        return encode_value(
            TimelineHeartbeat(event_id="h", event_time_ms=1, partition=0, epoch=1, positions=positions, **fields)
        )

    assert heartbeat({"a": 1, "b": 2}) == heartbeat({"b": 2, "a": 1})
    ratio = sample(MarketIndicatorObserved)
    assert isinstance(ratio, MarketIndicatorObserved)
    long, short = ("long_account", Decimal("0.6")), ("short_account", Decimal("0.4"))
    one, other = (msgspec.structs.replace(ratio, values=dict(pairs)) for pairs in ((long, short), (short, long)))
    assert encode_value(one) == encode_value(other)


def test_unknown_fields_are_ignored_because_additive_changes_keep_the_version() -> None:
    value = json.loads(encode_value(MARK)) | {"later": [1, 2]}
    assert decode_as(MarkPriceObserved, json.dumps(value).encode()) == MARK


def test_the_last_of_a_repeated_header_counts() -> None:
    assert header_map([("schema", b"a"), ("schema", b"b")]) == {"schema": b"b"}
    assert header_map(None) == {}


GOOD = header_map(encode(MARK).headers)
BAD_HEADERS = {
    "missing_schema": {},
    "unknown_schema": {"schema": b"mark_price_observed/99", "content-type": b"application/json"},
    "wrong_content_type": {**GOOD, "content-type": b"application/msgpack"},
}


@pytest.mark.parametrize("reason", BAD_HEADERS)
def test_headers_that_nobody_can_read(reason: str) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(encode_value(MARK), BAD_HEADERS[reason])
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_schema_that_does_not_belong_on_the_topic() -> None:
    with pytest.raises(BadMessage) as caught:
        decode(encode_value(MARK), GOOD, (SignalScored,))
    assert (caught.value.reason, caught.value.detail) == ("unexpected_schema", MARK.SCHEMA)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"event_id":"x"}', b"\xff\xfe", b"null"])
def test_bytes_that_do_not_fit(value: bytes | None) -> None:
    with pytest.raises(BadMessage) as caught:
        decode(value, GOOD)
    assert caught.value.reason == "undecodable"
    assert MARK.SCHEMA in caught.value.detail


@given(value=st.binary(max_size=200), kind=st.sampled_from(event_types()))
def test_garbage_is_a_bad_message_and_nothing_else(value: bytes, kind: type) -> None:
    with suppress(BadMessage):  # any other exception would end the process: it fails here
        assert isinstance(decode(value, header_map(encode(sample(kind)).headers)), kind)


@given(at=st.integers(0, 2000), flip=st.integers(1, 255))
def test_a_damaged_frame_never_raises_anything_else(at: int, flip: int) -> None:
    value = bytearray(encode_value(sample(AggTradeFrame)))
    value[at % len(value)] ^= flip
    with suppress(BadMessage):
        frame = decode(bytes(value), header_map(encode(sample(AggTradeFrame)).headers))
        assert isinstance(frame, AggTradeFrame)
        FrameGate().accept(frame)


def test_deep_nesting_is_a_bad_message() -> None:
    value = b'{"later":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(BadMessage, match="undecodable"):
        decode(value, GOOD)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.SCHEMA)
def test_headers_name_what_the_value_is(event: AggTradeFrame) -> None:
    headers = header_map(encode(event).headers)
    assert (
        headers["schema"].decode()
        == event.SCHEMA
        == json_schema(type(event))["$id"][len("urn:perpstream:schema:") :].replace(":", "/")
    )
    reader = msgspec.msgpack.decode if headers["content-type"] == b"application/msgpack" else msgspec.json.decode
    assert reader(encode_value(event))["event_id"] == event.event_id
