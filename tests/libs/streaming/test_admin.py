"""Topics follow from the table: created once, compared ever after, with the broker's append time as record time."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from libs.contracts.topics import DEAD_LETTER_RETENTION_MS, POSITION, SIGNAL_SCORED, STRATEGY_CONTROL, TIMELINE, TOPICS
from libs.kit.errors import UnreachableError, UserError
from libs.streaming.admin import describe_topic, ensure_topics, list_topics
from libs.streaming.records import log_generation
from tests.libs.streaming.broker import until

pytestmark = pytest.mark.integration


async def test_every_topic_of_the_table_and_its_dead_letters_exist_with_their_configuration(empty_kafka: str) -> None:
    made = await ensure_topics(empty_kafka, market_partitions=3)
    assert all(state.created for state in made)
    names = {state.name for state in await list_topics(empty_kafka)}
    assert names == {topic.name for topic in TOPICS} | {topic.dead_letter for topic in TOPICS}

    timeline = await describe_topic(empty_kafka, TIMELINE.name)
    assert timeline.partitions == 3
    assert timeline.config["message.timestamp.type"] == "LogAppendTime"
    assert timeline.config["retention.ms"] == str(TIMELINE.retention_ms)
    assert timeline.config["cleanup.policy"] == "delete"
    assert timeline.records == 0
    control = await describe_topic(empty_kafka, STRATEGY_CONTROL.name)
    assert (control.partitions, control.config["retention.ms"]) == (1, "-1")
    assert (await describe_topic(empty_kafka, POSITION.name)).config["cleanup.policy"] == "compact"
    dead = await describe_topic(empty_kafka, TIMELINE.dead_letter)
    assert (dead.partitions, dead.config["retention.ms"]) == (1, str(DEAD_LETTER_RETENTION_MS))


async def test_creating_twice_changes_nothing_and_a_changed_table_is_applied(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, market_partitions=2)
    generation = await log_generation(empty_kafka, SIGNAL_SCORED.name)
    again = await ensure_topics(empty_kafka, market_partitions=2)
    assert not any(state.created for state in again)
    assert await log_generation(empty_kafka, SIGNAL_SCORED.name) == generation

    client = AIOKafkaAdminClient(bootstrap_servers=empty_kafka)
    await client.start()
    changed = {"retention.ms": "1", "message.timestamp.type": "CreateTime", "min.insync.replicas": "2"}
    resource = ConfigResource(ConfigResourceType.TOPIC, SIGNAL_SCORED.name, configs=changed)
    [answer] = await client.alter_configs([resource])
    assert [row[0] for row in answer.resources] == [0], answer
    await client.close()
    await until(lambda: retention_is(empty_kafka, 1))
    await ensure_topics(empty_kafka, market_partitions=2)
    await until(lambda: retention_is(empty_kafka, SIGNAL_SCORED.retention_ms))
    mended = (await describe_topic(empty_kafka, SIGNAL_SCORED.name)).config
    assert mended["message.timestamp.type"] == "LogAppendTime"
    assert mended["min.insync.replicas"] == "2", "chosen at creation, not by the table"


async def retention_is(bootstrap: str, milliseconds: int) -> bool:
    """Whether the broker shows it already: it answers a change before it has carried it out."""
    return (await describe_topic(bootstrap, SIGNAL_SCORED.name)).config["retention.ms"] == str(milliseconds)


async def test_another_number_of_partitions_is_an_error_that_names_topic_and_remedy(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, market_partitions=2)
    with pytest.raises(UserError, match=r"market\.aggtrade\.v1 has 2, not 4.*MARKET_PARTITIONS"):
        await ensure_topics(empty_kafka, market_partitions=4)
    assert (await describe_topic(empty_kafka, TIMELINE.name)).partitions == 2


async def test_recreating_makes_a_new_log_with_a_new_generation(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, market_partitions=2)
    before = await log_generation(empty_kafka, TIMELINE.name)
    await ensure_topics(empty_kafka, market_partitions=4, recreate=True)
    after = await log_generation(empty_kafka, TIMELINE.name)
    assert (await describe_topic(empty_kafka, TIMELINE.name)).partitions == 4
    assert before.split("/")[0] == after.split("/")[0]
    assert before != after


async def test_an_absent_broker_is_one_clear_sentence() -> None:
    with pytest.raises(UnreachableError, match="Kafka does not answer"):
        await ensure_topics("127.0.0.1:1", market_partitions=2)


async def test_an_unknown_topic_is_one_clear_sentence(kafka_bootstrap: str) -> None:
    with pytest.raises(UserError, match=r"nowhere\.v1 does not exist"):
        await describe_topic(kafka_bootstrap, "nowhere.v1")
    with pytest.raises(UserError, match=r"nowhere\.v1 does not exist"):
        await log_generation(kafka_bootstrap, "nowhere.v1")
