"""Golden messages: records as they already stand in somebody's log stay readable, byte for byte."""

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from libs.contracts.codec import decode, encode_value
from libs.contracts.event import Event
from libs.contracts.export import event_types, json_schema
from libs.contracts.timeline import TimelineGate, effective_at
from libs.contracts.topics import TIMELINE, TOPICS, Topic, topic_named
from tests.golden.samples import FOLDER, expected, golden_path

PAIRS = [(topic, kind) for topic in TOPICS for kind in topic.events]
FILES = sorted(FOLDER.rglob("*.json"))


def _load(path: Path) -> tuple[dict[str, Any], bytes, dict[str, bytes]]:
    message = json.loads(path.read_text())
    value = base64.b64decode(message["value_base64"]) if "value_base64" in message else message["value"].encode()
    return message, value, {name: text.encode() for name, text in message["headers"].items()}


@pytest.mark.parametrize(("topic", "kind"), PAIRS, ids=lambda item: getattr(item, "name", getattr(item, "SCHEMA", "")))
def test_each_event_of_each_topic_has_its_golden_message(topic: Topic, kind: type[Event]) -> None:
    path = golden_path(topic, kind)
    assert path.is_file(), f"run `python -m tests.golden.samples` and commit {path.relative_to(FOLDER)}"
    _, value, headers = _load(path)
    event = decode(value, headers, topic.events)
    assert type(event) is kind
    assert encode_value(event) == value, "the encoding changed: a breaking change needs a new schema version"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_golden_message_decodes_to_what_was_expected(path: Path) -> None:
    message, value, headers = _load(path)
    event = decode(value, headers, topic_named(message["topic"]).events)
    found = expected(event)
    assert {name: found[name] for name in message["expected"]} == message["expected"]


@pytest.mark.parametrize("kind", event_types(), ids=lambda kind: kind.SCHEMA)
def test_golden_json_fits_its_published_schema(kind: type[Event]) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    topic = next(topic for topic in TOPICS if kind in topic.events)
    message, _, _ = _load(golden_path(topic, kind))
    validator.validate(message["expected"])
    broken = {name: value for name, value in message["expected"].items() if name != "event_id"}
    assert not validator.is_valid(broken)


def test_copies_on_the_timeline_carry_their_source() -> None:
    for kind in TIMELINE.events:
        _, value, headers = _load(golden_path(TIMELINE, kind))
        own = kind.SCHEMA.startswith("timeline_")
        gate = TimelineGate(epoch=0 if kind.SCHEMA.startswith("timeline_fenced") else 4)
        assert gate.accept(decode(value, headers) if own else None, headers)
        assert own or effective_at(headers) >= -1
