"""Which log is this: the cluster's id and the topic's id, so that offsets of a deleted log are never used on its successor.

aiokafka 0.14 asks for metadata in version 5, which has no topic ids; the question of version 12 is spelled out here.
Source of the fields: the Metadata request and response schemas of Apache Kafka's protocol guide, version 12.
"""

import uuid
from io import BytesIO
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from libs.kit.errors import UserError
from libs.streaming.connection import unreachable

_UNASKED = uuid.UUID(int=0)


class _Uuid(AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest12(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequest12]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequest12]) -> _MetadataRequest12:
        return request_struct_class([(_UNASKED, topic, {}) for topic in self._topics], False, False, {})


async def log_generations(bootstrap: str, topics: list[str]) -> dict[str, str]:
    """ "cluster id/topic id" of each topic; a deleted and recreated topic has another one.

    Raises `UnreachableError` when no broker answers and `UserError` when a topic does not exist.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    try:
        await client.bootstrap()
        answer: Any = await client.send(client.get_random_node(), _MetadataRequest(topics))
    except (KafkaError, OSError) as error:
        raise unreachable(bootstrap, error) from None
    finally:
        await client.close()
    found = {row[1]: f"{answer.cluster_id}/{row[2].hex}" for row in answer.topics if row[0] == 0}
    for topic in topics:
        if topic not in found:
            raise UserError(
                f"topic {topic} does not exist", where=bootstrap, todo="create the topics: perpstream topics create"
            )
    return found


async def log_generation(bootstrap: str, topic: str) -> str:
    """ "cluster id/topic id" of one topic; see `log_generations`."""
    return (await log_generations(bootstrap, [topic]))[topic]
