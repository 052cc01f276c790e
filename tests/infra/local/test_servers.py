"""The broker and the database are real, survive SIGKILL with what was acknowledged, and give each test a clean place."""

import stat

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.servers import Broker, Database

pytestmark = pytest.mark.integration


def _plain(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def _create_topic(bootstrap: str, name: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    await client.create_topics([NewTopic(name, 1, 1)])
    await client.close()


async def _send(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()


async def _read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    values = [(await consumer.getone()).value for _ in range(count)]
    await consumer.stop()
    return [value for value in values if value is not None]


async def test_an_acknowledged_record_survives_the_brokers_sigkill(own_kafka: Broker) -> None:
    await _create_topic(own_kafka.bootstrap, "facts")
    await _send(own_kafka.bootstrap, "facts", [b"one", b"two"])
    own_kafka.kill()
    own_kafka.start()
    await _send(own_kafka.bootstrap, "facts", [b"three"])
    assert await _read(own_kafka.bootstrap, "facts", 3) == [b"one", b"two", b"three"]


async def test_a_committed_row_survives_the_databases_sigkill(own_postgres: Database) -> None:
    connection = await asyncpg.connect(_plain(own_postgres.url))
    await connection.execute("CREATE TABLE facts (n int); INSERT INTO facts VALUES (1), (2)")
    own_postgres.kill()
    own_postgres.start()
    connection = await asyncpg.connect(_plain(own_postgres.url))
    assert await connection.fetchval("SELECT sum(n) FROM facts") == 3
    await connection.close()


async def test_the_database_is_durable_and_asks_for_its_generated_password(own_postgres: Database) -> None:
    assert stat.S_IMODE(own_postgres.password_file.stat().st_mode) == 0o600
    assert len(own_postgres.password_file.read_text()) >= 24
    connection = await asyncpg.connect(_plain(own_postgres.url))
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await connection.fetchval(f"SHOW {setting}") == "on"
    assert await connection.fetchval("SHOW timezone") == "UTC"
    await connection.close()
    password = own_postgres.password_file.read_text()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(_plain(own_postgres.url).replace(password, "postgres"))


async def test_each_test_gets_an_empty_database(database_url: str, module_database_url: str) -> None:
    assert database_url != module_database_url
    connection = await asyncpg.connect(_plain(database_url))
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_empty_kafka_has_no_topic_but_the_brokers_own(
    kafka_bootstrap: str, request: pytest.FixtureRequest
) -> None:
    await _create_topic(kafka_bootstrap, "left-over")
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await client.start()
    assert "left-over" in await client.list_topics()
    broker: Broker = request.getfixturevalue("session_broker")
    import asyncio

    await asyncio.to_thread(broker.delete_all_topics)
    assert [name for name in await client.list_topics() if not name.startswith("__")] == []
    await client.close()
