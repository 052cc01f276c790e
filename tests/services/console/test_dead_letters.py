"""`topics tail` of a dead-letter topic: where the record stood, who refused it and why stand on the line."""

from libs.contracts.codec import encode, header_map
from libs.contracts.market import MarkPriceObserved
from libs.kit.errors import BadMessage
from libs.streaming.deadletter import DeadLetters
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.records import Record
from services.console.topics import describe_record, refusal
from tests.golden.samples import sample


async def test_a_dead_letter_says_why_it_is_one() -> None:
    bus = MemoryBus()
    headers = header_map(encode(sample(MarkPriceObserved)).headers)
    record = Record("market.markprice.v1", 2, 41, b"BTCUSDT", b"{garbage", headers, 0)
    await DeadLetters(MemoryProducer(bus), "sequencer").put(record, BadMessage("undecodable", "byte 1"))
    (letter,) = bus.records("market.markprice.v1.dlq")
    row = describe_record(letter)
    assert row["refused"]["reason"] == "undecodable"
    assert refusal(row) == " refused at market.markprice.v1:2:41 by sequencer: undecodable byte 1"


def test_any_other_record_says_nothing_of_it() -> None:
    encoded = encode(sample(MarkPriceObserved))
    row = describe_record(Record("market.markprice.v1", 2, 41, None, encoded.value, header_map(encoded.headers), 0))
    assert "refused" not in row
    assert refusal(row) == ""
    assert row["value"]["symbol"] == "BTCUSDT"
