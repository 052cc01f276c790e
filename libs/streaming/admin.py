"""The one tool that creates topics, from the table in `libs.contracts.topics`; their dead-letter topics come with them.

Record time is the broker's append time: records that carry old event times as record time would be deleted by retention
at once. What exists is compared with the table; a different number of partitions is never mended silently, because symbols
would change their partition in the middle of a log.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    for_code,
)

from libs.contracts.topics import DEAD_LETTER_RETENTION_MS, TOPICS, Topic
from libs.kit.errors import UserError
from libs.streaming.connection import unreachable
from libs.streaming.records import LogReader

_MOST_REPLICAS = 3
_IN_SYNC = "min.insync.replicas"
_SETTLE_SECONDS = 30.0
_SEGMENT_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is on the broker. `created`: this call made it. `ends`: record offsets by partition (described only)."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)
    created: bool = False
    beginnings: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    @property
    def records(self) -> int:
        """Upper bound of the records kept (compaction leaves gaps)."""
        return sum(self.ends) - sum(self.beginnings)


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    partitions: int
    config: dict[str, str]


def _config(topic: Topic) -> dict[str, str]:
    config = {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        "compression.type": "producer",
        "max.message.bytes": "1048588",
    }
    if topic.cleanup == "compact":
        return config | {"min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": str(_SEGMENT_MS)}
    # A segment is deleted only when its newest record is too old: keep segments no longer than a day.
    return config | {"segment.ms": str(_SEGMENT_MS)}


def _wanted(market_partitions: int) -> list[_Wanted]:
    rows = []
    for topic in TOPICS:
        rows.append(_Wanted(topic.name, topic.partitions(market_partitions), _config(topic)))
        dead = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTER_RETENTION_MS), "retention.bytes": "-1"}
        dead |= {"message.timestamp.type": "LogAppendTime", "compression.type": "producer"}
        # The bytes of a refused record plus its headers must always fit.
        rows.append(
            _Wanted(topic.dead_letter, 1, dead | {"max.message.bytes": "2097152", "segment.ms": str(_SEGMENT_MS)})
        )
    return rows


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
    try:
        await client.start()
    except (KafkaError, OSError) as error:
        await client._client.close()  # close() of a client that never started does nothing
        raise unreachable(bootstrap, error) from None
    try:
        yield client
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, OSError) as error:
        raise unreachable(bootstrap, error) from None
    finally:
        await client.close()


async def ensure_topics(bootstrap: str, market_partitions: int, recreate: bool = False) -> list[TopicState]:
    """Create what is missing and set the table's configuration on what exists; doing it twice changes nothing.

    `recreate` deletes the table's topics with all their records first. Raises `UserError` when an existing topic has
    another number of partitions (nothing was created or changed then), `UnreachableError` when no broker answers.
    """
    wanted = _wanted(market_partitions)
    async with _admin(bootstrap) as client:
        existing = await _partition_counts(client)
        if recreate:
            await _delete(client, [row.name for row in wanted if row.name in existing])
            existing = {}
        _check_partitions(bootstrap, wanted, existing)
        missing = [row for row in wanted if row.name not in existing]
        await _create(client, missing)
        await _configure(client, [row for row in wanted if row.name in existing])
    made = {row.name for row in missing}
    return [TopicState(row.name, row.partitions, row.config, row.name in made) for row in wanted]


async def list_topics(bootstrap: str) -> list[TopicState]:
    """Every topic on the broker with its partitions, internal ones left out, by name."""
    async with _admin(bootstrap) as client:
        counts = await _partition_counts(client)
    return [TopicState(name, counts[name]) for name in sorted(counts) if not name.startswith("__")]


async def describe_topic(bootstrap: str, name: str) -> TopicState:
    """One topic with configuration and offsets; raises `UserError` when it does not exist."""
    async with LogReader(bootstrap) as log:
        partitions = await log.partitions(name)
        beginnings = [await log.beginning(name, partition) for partition in partitions]
        ends = [await log.end(name, partition) for partition in partitions]
    async with _admin(bootstrap) as client:
        config = (await _configs(client, [name]))[name]
    return TopicState(name, len(partitions), config, beginnings=tuple(beginnings), ends=tuple(ends))


async def _partition_counts(client: AIOKafkaAdminClient) -> dict[str, int]:
    return {row["topic"]: len(row["partitions"]) for row in await client.describe_topics() if row["error_code"] == 0}


def _check_partitions(bootstrap: str, wanted: Iterable[_Wanted], existing: dict[str, int]) -> None:
    wrong = [row for row in wanted if existing.get(row.name, row.partitions) != row.partitions]
    if wrong:
        names = ", ".join(f"{row.name} has {existing[row.name]}, not {row.partitions}" for row in wrong[:4])
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise UserError(
            f"topics exist with another number of partitions: {names}{more}",
            where=bootstrap,
            todo="set PERPSTREAM_MARKET_PARTITIONS to that number, or recreate the topics (their records are lost)",
        )


async def _create(client: AIOKafkaAdminClient, rows: list[_Wanted]) -> None:
    if not rows:
        return
    brokers = len((await client.describe_cluster())["brokers"])
    replicas = min(_MOST_REPLICAS, brokers)
    # acks=all means "all in sync": with three replicas a record stands on two disks before it counts.
    safety = {_IN_SYNC: str(max(1, replicas - 1))}
    topics = [NewTopic(row.name, row.partitions, replicas, topic_configs=row.config | safety) for row in rows]
    answer = await client.create_topics(topics)
    for name, code, message in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # two starts at once: the other one made it
            raise UserError(
                f"topic {name} could not be created: {message or error.__name__}",
                where="Kafka",
                todo="mend the broker and start again",
            )
    await _until(client, {row.name for row in rows}, present=True)


async def _delete(client: AIOKafkaAdminClient, names: list[str]) -> None:
    if names:
        await client.delete_topics(names)
        await _until(client, set(names), present=False)


async def _until(client: AIOKafkaAdminClient, names: set[str], *, present: bool) -> None:
    """Creation and deletion are carried out after the answer: wait until the broker's metadata shows them."""
    async with asyncio.timeout(_SETTLE_SECONDS):
        while True:
            existing = await _partition_counts(client)
            if (names <= existing.keys()) if present else not (names & existing.keys()):
                return
            await asyncio.sleep(0.05)


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await client.describe_configs(resources):
        for _, __, ___, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _configure(client: AIOKafkaAdminClient, rows: list[_Wanted]) -> None:
    """Give topics that exist the table's configuration where it differs."""
    if not rows:
        return
    current = await _configs(client, [row.name for row in rows])
    different = [row for row in rows if any(current[row.name].get(key) != value for key, value in row.config.items())]
    if not different:
        return
    answers: list[Any] = await client.alter_configs(
        # The request replaces a topic's whole configuration: what was chosen at creation has to be said again.
        [
            ConfigResource(
                ConfigResourceType.TOPIC, row.name, configs=row.config | {_IN_SYNC: current[row.name][_IN_SYNC]}
            )
            for row in different
        ]
    )
    for answer in answers:
        for code, message, _, name in answer.resources:
            if code:
                raise UserError(
                    f"topic {name} could not be configured: {message}",
                    where="Kafka",
                    todo="mend the broker and start again",
                )
