"""Our partition function is Kafka's: any client that keys by symbol lands where our frames are."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.partitioning import murmur2, partition_of

# Kafka's own test vectors (UtilsTest.testMurmur2), as signed 32-bit integers.
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("data", KAFKA_VECTORS)
def test_kafkas_vectors(data: bytes) -> None:
    assert murmur2(data) == KAFKA_VECTORS[data] & 0xFFFFFFFF


@given(st.binary(max_size=80))
def test_equals_the_clients_hash(data: bytes) -> None:
    assert murmur2(data) == aiokafka_murmur2(data) & 0xFFFFFFFF


@given(st.text(min_size=1, max_size=20), st.integers(1, 1024))
def test_equals_the_clients_choice(symbol: str, partitions: int) -> None:
    assert partition_of(symbol, partitions) == (aiokafka_murmur2(symbol.encode()) & 0x7FFFFFFF) % partitions


def test_the_default_symbols_do_not_all_share_one_partition() -> None:
    assert len({partition_of(symbol, 4) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")}) > 1
