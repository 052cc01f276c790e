"""A broker that hangs is noticed by what it does not say, and ordinary waits are no alarm."""

import asyncio

import pytest

from infra.local.ports import free_port
from libs.streaming.liveness import Silence, refused, unacknowledged


def test_a_record_that_waits_longer_than_ten_seconds_is_a_reason() -> None:
    assert unacknowledged(0.0) is None
    assert unacknowledged(10.0) is None
    assert unacknowledged(12.3) == "a record has waited 12 s for its acknowledgement"


def test_silence_counts_from_the_last_answer_whatever_it_said() -> None:
    silence = Silence()
    assert silence.why(0, 1000.0) is None, "a reader that has just begun is not late"
    assert silence.why(5, 1009.0) is None
    assert silence.why(5, 1019.0) is None
    assert silence.why(5, 1020.5) == "Kafka has not answered for 12 s"
    assert silence.why(6, 1030.0) is None
    assert silence.why(4, 1041.0) is None, "a wall clock that was set back is an answer too"


async def test_a_broker_is_gone_when_none_of_its_addresses_takes_a_connection() -> None:
    nobody, somebody = free_port(), free_port()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", somebody)
    async with server:
        assert await refused(f"127.0.0.1:{nobody}") == f"Kafka refuses connections at 127.0.0.1:{nobody}"
        assert await refused(f"127.0.0.1:{nobody},127.0.0.1:{somebody}") is None


@pytest.mark.parametrize("bootstrap", ["nonsense", "x:abc", f"{'a' * 70}.example:9092", "no.such.host.invalid:9092"])
async def test_what_cannot_be_asked_is_not_said_to_refuse(bootstrap: str) -> None:
    assert await refused(bootstrap) is None
