"""Records that nobody can read: put aside with their original bytes and the reason, and brought back by hand."""

import time
from collections.abc import Callable

from libs.contracts.codec import Encoded
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.streaming.producer import Publisher
from libs.streaming.records import LogReader, Record

HEADER_TOPIC = "dlq-topic"
HEADER_PARTITION = "dlq-partition"
HEADER_OFFSET = "dlq-offset"
HEADER_REASON = "dlq-reason"
HEADER_DETAIL = "dlq-detail"
HEADER_SERVICE = "dlq-service"
HEADER_AT = "dlq-at"
SUFFIX = ".dlq"
_PREFIX = "dlq-"
_LONGEST_DETAIL = 1000


class DeadLetters:
    """Puts refused records on `<topic>.dlq`; returns only when Kafka has them, so that a position may move on after it."""

    def __init__(self, producer: Publisher, service: str) -> None:
        self._producer = producer
        self._service = service

    async def put(self, record: Record, error: BadMessage) -> None:
        """Value, key and headers stay as they are; `dlq-*` headers say where the record stood and why it was refused."""
        counter("perpstream_dlq_total").labels(record.topic, error.reason).inc()
        get_logger("dead_letters").warning(
            "record refused", place=record.place, reason=error.reason, detail=error.detail[:_LONGEST_DETAIL]
        )
        why = {
            HEADER_TOPIC: record.topic,
            HEADER_PARTITION: str(record.partition),
            HEADER_OFFSET: str(record.offset),
            HEADER_REASON: error.reason,
            HEADER_DETAIL: error.detail[:_LONGEST_DETAIL],
            HEADER_SERVICE: self._service,
            HEADER_AT: str(time.time_ns() // 1_000_000),
        }
        headers = [*record.headers.items(), *((name, text.encode()) for name, text in why.items())]
        # Kafka knows records without a value; the dead letter keeps that difference.
        encoded = Encoded(record.value, headers)  # type: ignore[arg-type]
        key = record.key if record.key is not None or record.value is not None else b""
        await (await self._producer.send_encoded(record.topic + SUFFIX, encoded, key=key, partition=0))


def original_of(letter: Record) -> Record:
    """The record that a dead letter keeps, at its old place; raises `UserError` when it is no dead letter."""
    try:
        topic = letter.headers[HEADER_TOPIC].decode()
        partition, offset = int(letter.headers[HEADER_PARTITION]), int(letter.headers[HEADER_OFFSET])
    except (KeyError, ValueError):
        raise UserError(
            "the record is no dead letter: its dlq-* headers are missing",
            where=letter.place,
            todo="leave it out of the replay",
        ) from None
    headers = {name: value for name, value in letter.headers.items() if not name.startswith(_PREFIX)}
    return Record(topic, partition, offset, letter.key, letter.value, headers, letter.timestamp_ms)


async def replay(
    bootstrap: str,
    producer: Publisher,
    topic: str,
    span: tuple[int, int],
    wanted: Callable[[Record], bool] = lambda _: True,
) -> int:
    """Append the originals of `topic`'s dead letters with offsets in `span` (start, end) to their old topic and partition.

    `wanted` sees each dead letter and may leave it out. Returns how many were appended, all of them acknowledged. The
    letters stay where they are: replaying the same span twice appends twice, which consumers survive by their keys.
    """
    count = 0
    async with LogReader(bootstrap) as log:
        async for batch in log.range(topic.removesuffix(SUFFIX) + SUFFIX, 0, *span):
            for letter in filter(wanted, batch):
                original = original_of(letter)
                encoded = Encoded(original.value, list(original.headers.items()))  # type: ignore[arg-type]
                await producer.send_encoded(original.topic, encoded, key=original.key, partition=original.partition)
                count += 1
    await producer.flush()
    return count
