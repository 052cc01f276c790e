"""The table of topics: complete, consistent, and large enough in time for what reads it."""

import pytest

from libs.contracts.event import Event, schemas
from libs.contracts.topics import KEEP_FOREVER, SEQUENCED, TIMELINE, TOPICS, Topic, topic_named
from libs.kit.durations import DAY_MS, HOUR_MS

WARM_UP_MS = 36 * HOUR_MS


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_each_row_is_complete(topic: Topic) -> None:
    assert topic.producers
    assert topic.consumers
    assert topic.events
    assert topic.meaning.endswith(".")
    assert topic.name.rpartition(".v")[2].isdigit()
    assert "_" not in topic.name, "Kafka folds dots and underscores in metric names"
    assert topic.dead_letter == f"{topic.name}.dlq"
    assert topic.retention_ms == KEEP_FOREVER or topic.retention_ms >= DAY_MS + WARM_UP_MS or topic.family == "single"
    assert topic.cleanup != "compact" or topic.retention_ms == KEEP_FOREVER


def test_names_and_schemas_are_unique() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    mine = [kind for kind in Event.__subclasses__() if kind.__module__.startswith("libs.")]
    assert len({kind.SCHEMA for kind in mine}) == len(mine)
    used = {kind for topic in TOPICS for kind in topic.events}
    assert set(mine) == used, "an event type that no topic carries"
    assert used <= set(schemas().values())


def test_the_timeline_holds_everything_that_is_sequenced() -> None:
    for topic in SEQUENCED:
        assert set(topic.events) <= set(TIMELINE.events)
        assert topic.family == "market"
        assert "sequencer" in topic.consumers
        assert topic.retention_ms <= TIMELINE.retention_ms


def test_partitions_follow_the_family() -> None:
    assert {topic.partitions(7) for topic in TOPICS if topic.family == "market"} == {7}
    assert {topic.partitions(7) for topic in TOPICS if topic.family == "single"} == {1}


def test_one_writer_a_table() -> None:
    tables = [table for topic in TOPICS for table in topic.tables]
    assert len(tables) == len(set(tables))


def test_lookup() -> None:
    assert topic_named("market.timeline.v1") is TIMELINE
    with pytest.raises(KeyError):
        topic_named("market.timeline.v2")
