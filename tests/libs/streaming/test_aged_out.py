"""What retention has taken from the timeline still counts: read from the topic that is kept for ever."""

from collections.abc import Sequence

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from libs.contracts.codec import Encoded
from libs.contracts.control import StrategyActivated
from libs.contracts.topics import STRATEGY_CONTROL, TIMELINE
from libs.streaming.admin import ensure_topics
from libs.streaming.aged_out import aged_out
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.streaming.timeline import TimelineCursor
from tests.services.signal_engine.timelines import TimelineFactory, activation

pytestmark = pytest.mark.integration
WORDS = [activation(50, version=version) for version in range(4)]


def log_of_words() -> tuple[TimelineFactory, dict[str, int]]:
    """Two words, a heartbeat, two more; and where each stands."""
    made, places = TimelineFactory(), dict[str, int]()
    made.fence()
    for number, word in enumerate(WORDS):
        if number == 2:
            places["beat"] = len(made.records)
            made.beat()
        places[f"word{number}"] = len(made.records)
        made.copy(STRATEGY_CONTROL, word)
    return made, places


async def appended(bootstrap: str, made: TimelineFactory, words: Sequence[StrategyActivated]) -> None:
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    for word in words:
        await producer.send(STRATEGY_CONTROL, word, key=word.strategy, partition=0)
    for record in made.records:
        encoded = Encoded(record.value or b"", list(record.headers.items()))
        await producer.send_encoded(TIMELINE.name, encoded, key=b"0", partition=0)
    await producer.stop()


async def cut(bootstrap: str, before: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(TIMELINE.name, 0): RecordsToDelete(before_offset=before)})
    await admin.close()


async def versions(bootstrap: str, known: TimelineCursor | None = None) -> list[int]:
    async with LogReader(bootstrap) as log:
        return [word.version for word in await aged_out(log, 0, known)]


async def test_what_was_copied_before_the_cut_is_told_and_nothing_that_still_stands(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    made, places = log_of_words()
    await appended(empty_kafka, made, WORDS)
    assert await versions(empty_kafka) == []
    await cut(empty_kafka, places["word1"])
    assert await versions(empty_kafka) == [0, 1], (
        "what stands before the first heartbeat of a cut log counts for no reader"
    )
    await cut(empty_kafka, places["beat"])
    assert await versions(empty_kafka) == [0, 1]
    met = TimelineCursor()
    for record in made.records[: places["word1"]]:
        met.accept(record)
    assert await versions(empty_kafka, met) == [1], "what a state has met already is not told again"


async def test_a_word_that_was_not_copied_yet_is_left_to_the_log(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    made, places = log_of_words()
    await appended(empty_kafka, made, [*WORDS, activation(50, version=9)])
    await cut(empty_kafka, places["beat"])
    assert await versions(empty_kafka) == [0, 1]
