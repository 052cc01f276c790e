"""Symbol to partition: one function for everyone. It is Kafka's own default partitioner (murmur2 of the key), so that any
client which keys by symbol lands in the same partition as our frames.

Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey of Apache Kafka.
"""

from functools import cache

_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """32-bit murmur2 with Kafka's seed, as an unsigned integer."""
    magic, length = 0x5BD1E995, len(data)
    state = 0x9747B28C ^ length
    for start in range(0, length - length % 4, 4):
        word = int.from_bytes(data[start : start + 4], "little") * magic & _MASK
        word = (word ^ (word >> 24)) * magic & _MASK
        state = (state * magic & _MASK) ^ word
    tail = data[length - length % 4 :]
    if tail:
        state = (state ^ int.from_bytes(tail, "little")) * magic & _MASK
    state = (state ^ (state >> 13)) * magic & _MASK
    return state ^ (state >> 15)


@cache
def partition_of(symbol: str, partitions: int) -> int:
    """The partition of `symbol` in every topic of the market family that has `partitions` partitions."""
    return (murmur2(symbol.encode()) & 0x7FFFFFFF) % partitions
