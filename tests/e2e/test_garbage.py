"""Garbage on every topic of a running stack: each record lies on its dead-letter topic with its bytes, and nothing stops."""

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from libs.contracts.codec import Headers, encode
from libs.contracts.market import AggTradeFrame, MarkPriceObserved
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import (
    AGGTRADE,
    MARKPRICE,
    SEQUENCED,
    SIGNAL_INDICATOR,
    SIGNAL_SCORED,
    STRATEGY_CONTROL,
    TIMELINE,
    Topic,
)
from libs.streaming.records import Record
from libs.streaming.tail import TailConsumer
from tests.e2e.replay import query
from tests.e2e.stack import Stack, wait_for
from tests.golden.samples import FRAME, sample

SYMBOL, PARTITIONS = "BTCUSDT", 4
HOME = partition_of(SYMBOL, PARTITIONS)
READ = (*SEQUENCED, STRATEGY_CONTROL, TIMELINE, SIGNAL_INDICATOR, SIGNAL_SCORED)
LARGEST = 1_040_000


class Garbage(NamedTuple):
    """A record that nobody can use, and the reason that its dead letter must give."""

    topic: Topic
    value: bytes
    headers: Headers
    reason: str


def _of_every_topic(topic: Topic) -> list[Garbage]:
    kind = topic.events[0]
    schema, content = ("schema", kind.SCHEMA.encode()), ("content-type", kind.CONTENT_TYPE.encode())
    name = topic.name.encode()
    # A record that the sequencer did not write says so before its content is looked at.
    damaged = "bad_timeline_header" if topic is TIMELINE else "undecodable"
    return [
        Garbage(topic, b"\xc1\x00 not decodable, " + name, [schema, content], damaged),
        Garbage(topic, b"{}", [("schema", b"no_such/1"), content], "unknown_schema"),
        Garbage(topic, b"no header, " + name, [], "missing_schema"),
        Garbage(topic, b"no header value, " + name, [schema, ("content-type", None)], "wrong_content_type"),  # type: ignore[list-item]
    ]


def _lies() -> list[Garbage]:
    """Records that decode, and lie."""
    mark = sample(MarkPriceObserved)
    assert isinstance(mark, MarkPriceObserved)
    own = tuple(part for part in FRAME.slices if part.symbol == SYMBOL)
    frame = msgspec.structs.replace(FRAME, partition=HOME, producer="liar", slices=own, holes=(), symbol_index=b"")
    empty = dict.fromkeys(
        (
            "agg_id",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "trade_time",
            "buyer_is_maker",
            "late_row",
            "late_time",
        ),
        b"",
    )
    frame = msgspec.structs.replace(frame, **empty)
    part = msgspec.structs.replace(own[0], rows=0, first_id=-1, last_id=-1)
    far = msgspec.structs.replace(frame, slices=(msgspec.structs.replace(part, watermark_ms=1 << 60),))
    ids = msgspec.structs.replace(frame, slices=(msgspec.structs.replace(part, last_id=1 << 62),))
    elsewhere = msgspec.structs.replace(frame, slices=(part,), partition=(HOME + 1) % PARTITIONS)
    odd = msgspec.structs.replace(mark, symbol="BTC|USDT\0")
    plain = encode(mark)
    return [
        _lie(AGGTRADE, far, "implausible"),
        _lie(AGGTRADE, ids, "bad_frame"),
        _lie(AGGTRADE, elsewhere, "wrong_partition"),
        _lie(MARKPRICE, odd, "implausible"),
        Garbage(MARKPRICE, plain.value.replace(str(mark.mark_price).encode(), b"NaN"), plain.headers, "implausible"),
        Garbage(MARKPRICE, plain.value + b" " * (LARGEST - len(plain.value)), plain.headers, "too_large"),
    ]


def _lie(topic: Topic, event: AggTradeFrame | MarkPriceObserved, reason: str) -> Garbage:
    encoded = encode(event)
    return Garbage(topic, encoded.value, encoded.headers, reason)


async def _throw(bootstrap: str, garbage: list[Garbage]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=2 * LARGEST)
    await producer.start()
    try:
        for item in garbage:
            partition = HOME if item.topic.family == "market" else 0
            await producer.send_and_wait(item.topic.name, item.value, headers=item.headers, partition=partition)
    finally:
        await producer.stop()


def _missing(garbage: list[Garbage], letters: list[Record]) -> list[str]:
    found = {(letter.topic, letter.value, letter.headers["dlq-reason"].decode()) for letter in letters}
    wanted = {(item.topic.dead_letter, item.value, item.reason) for item in garbage}
    return [f"{topic} {reason} {value[:40]!r}" for topic, value, reason in wanted - found]


async def _letters_of(bootstrap: str, garbage: list[Garbage]) -> list[Record]:
    """The dead letters, once all are there; the failure names those that never came."""
    letters: list[Record] = []
    async with TailConsumer(bootstrap, [topic.dead_letter for topic in READ], back=1000) as tail:
        for _ in range(40):
            letters += await tail.poll(500)
            if not _missing(garbage, letters):
                return letters
    raise AssertionError(f"no dead letter: {_missing(garbage, letters)}")


def _trades(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) AS n FROM agg_trades")[0]["n"])


def _evaluations(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) AS n FROM signal_indicators")[0]["n"])


def _rated(stack: Stack) -> list[str]:
    with urllib.request.urlopen(f"{stack.run_file().gateway_url}/api/rates", timeout=5) as answer:
        return [rate["symbol"] for rate in json.loads(answer.read())["rates"]]


@pytest.mark.e2e
def test_garbage_on_every_topic_is_put_aside_with_its_bytes_and_the_stream_goes_on(tmp_path: Path) -> None:
    stack, garbage = Stack(tmp_path), [*(item for topic in READ for item in _of_every_topic(topic)), *_lies()]
    try:
        stack.up("--symbols", SYMBOL)
        bootstrap = stack.run_file().kafka_bootstrap
        wait_for(lambda: _trades(stack) > 0, 30, "the first trade in PostgreSQL", stack)
        asyncio.run(_throw(bootstrap, garbage))
        letters = asyncio.run(_letters_of(bootstrap, garbage))
        assert {letter.headers["dlq-service"] for letter in letters} >= {b"sequencer", b"signal_engine", b"recorder"}
        assert all(letter.headers["dlq-topic"].decode() == letter.topic.removesuffix(".dlq") for letter in letters)
        trades, evaluations = _trades(stack), _evaluations(stack)
        wait_for(lambda: _trades(stack) > trades, 20, "trades after the garbage", stack)
        wait_for(lambda: _evaluations(stack) > evaluations, 30, "an evaluation after the garbage", stack)
        wait_for(stack.ready, 20, "every service ready", stack)
        assert {entry.name: entry.restarts for entry in stack.run_file().services if entry.restarts} == {}
        assert _rated(stack) == [SYMBOL]
        assert "unknown_schema" in stack.command("topics", "tail", TIMELINE.dead_letter, "--back", "20", "--count", "4")
    finally:
        stack.down()
