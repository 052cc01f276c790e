"""Documents generated from the table of topics: JSON Schemas, an AsyncAPI 3.0 description and the topic list of the docs.

`python -m libs.contracts.export` writes them into docs/; `--check` only compares. A test fails when they have drifted.
The functions are pure: text by path, relative to docs/.
"""

import inspect
import json
import sys
from typing import Any

import msgspec

from libs.contracts.event import Event
from libs.contracts.market import AggTradeFrame, Hole, IdMark, OpenGap, SymbolSlice, TradesBootstrapped
from libs.contracts.topics import DEAD_LETTER_RETENTION_MS, TOPICS, Topic
from libs.kit.durations import DAY_MS

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
EXAMPLE_PARTITIONS = 4
COLUMNS: dict[type[Event], dict[str, str]] = {
    AggTradeFrame: {
        "symbol_index": "uint16, index into `slices`",
        "agg_id": "int64, aggregate trade id",
        "price": "int64, price * 10^price_decimals of the row's slice",
        "quantity": "int64, quantity * 10^quantity_decimals of the row's slice",
        "first_trade_id": "int64",
        "last_trade_id": "int64",
        "trade_time": "int64, the venue's T in ms UTC",
        "buyer_is_maker": "uint8, 1: the taker sold",
        "late_row": "uint32, numbers of the rows whose effective time is not their T",
        "late_time": "int64, effective time (ms UTC) of each row in `late_row`",
    },
    TradesBootstrapped: {
        "minute_bars": "int64 rows of open_time_ms, volume, taker_buy_volume, quote_volume",
        "candle_bars": "int64 rows of open_time_ms, open, high, low, close",
    },
}
_ARRAYS = {kind.__name__: kind for kind in (SymbolSlice, Hole, OpenGap, IdMark)}


def event_types() -> tuple[type[Event], ...]:
    """Every event type of the table, once, in the table's order."""
    return tuple(dict.fromkeys(kind for topic in TOPICS for kind in topic.events))


def schema_path(kind: type[Event]) -> str:
    """Where the JSON Schema of an event type stands, relative to docs/contracts/."""
    return f"schemas/{kind.SCHEMA.replace('/', '.')}.json"


def _tidy(definition: Json) -> None:
    """Dedent the docstring, and name the elements of structs that travel as arrays."""
    if "description" in definition:
        definition["description"] = inspect.cleandoc(definition["description"])
    array = _ARRAYS.get(definition.get("title", ""))
    if array is not None:
        for field, item in zip(array.__struct_fields__, definition["prefixItems"], strict=True):
            item["title"] = field


def json_schema(kind: type[Event]) -> Json:
    """The JSON Schema (2020-12) of one event type's value.

    A msgpack value is described as the equivalent document; its binary columns say their element type, because JSON Schema
    cannot describe what is inside bytes.
    """
    schema: Json = msgspec.json.schema(kind)
    for definition in schema["$defs"].values():
        _tidy(definition)
    properties = schema["$defs"][kind.__name__]["properties"]
    for name, meaning in COLUMNS.get(kind, {}).items():
        properties[name] = {
            "type": "string",
            "contentEncoding": "binary",
            "description": f"msgpack bin, little-endian {meaning}",
        }
    return {
        "$schema": DIALECT,
        "$id": f"urn:perpstream:schema:{kind.SCHEMA.replace('/', ':')}",
        "x-content-type": kind.CONTENT_TYPE,
        **schema,
    }


def _headers_schema(kind: type[Event]) -> Json:
    return {
        "type": "object",
        "required": ["schema", "content-type"],
        "properties": {
            "schema": {"type": "string", "const": kind.SCHEMA},
            "content-type": {"type": "string", "const": kind.CONTENT_TYPE},
            "traceparent": {
                "type": "string",
                "description": "W3C trace context; the trace id follows from the fact that began the trace",
            },
            "observed-at": {"type": "string", "pattern": "^[0-9]+$", "description": "our wall clock, ms UTC"},
        },
    }


def _message(kind: type[Event]) -> Json:
    return {
        "name": kind.SCHEMA,
        "title": kind.__name__,
        "summary": inspect.cleandoc(kind.__doc__ or "").splitlines()[0],
        "contentType": kind.CONTENT_TYPE,
        "headers": _headers_schema(kind),
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"./{schema_path(kind)}"}},
    }


def _configuration(topic: Topic) -> Json:
    return {"cleanup.policy": [topic.cleanup], "retention.ms": topic.retention_ms}


def _channel(topic: Topic) -> Json:
    return {
        "address": topic.name,
        "description": topic.meaning,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in topic.events},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions(EXAMPLE_PARTITIONS),
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
        "x-key": topic.key,
        "x-partition-family": topic.family,
        "x-dead-letter": topic.dead_letter,
        "x-tables": list(topic.tables),
    }


def _operations(topic: Topic) -> Json:
    found: Json = {}
    for action, services in (("send", topic.producers), ("receive", topic.consumers)):
        for service in services:
            found[f"{service}.{action}.{topic.name}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "messages": [{"$ref": f"#/channels/{topic.name}/messages/{kind.__name__}"} for kind in topic.events],
                "tags": [{"name": service}],
            }
    return found


def asyncapi() -> Json:
    """The AsyncAPI 3.0 document: a channel per topic, an operation per producer and consumer, a message per event type."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Perpstream",
            "version": "1.0.0",
            "description": "What the services say to each other on Kafka. Generated from libs/contracts/topics.py.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"embedded": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "The embedded broker"}},
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: item for topic in TOPICS for name, item in _operations(topic).items()},
        "components": {"messages": {kind.__name__: _message(kind) for kind in event_types()}},
    }


def _retention(milliseconds: int) -> str:
    return "for ever" if milliseconds < 0 else f"{milliseconds // DAY_MS} d"


def _row(topic: Topic) -> str:
    cells = (
        f"`{topic.name}`",
        topic.key,
        ", ".join(f"[{kind.__name__}](contracts/{schema_path(kind)})" for kind in topic.events),
        ", ".join(topic.producers),
        ", ".join(topic.consumers),
        "market family" if topic.family == "market" else "1",
        _retention(topic.retention_ms),
        topic.cleanup,
        ", ".join(f"`{table}`" for table in topic.tables) or "none",
        f"`{topic.dead_letter}`",
    )
    return f"| {' | '.join(cells)} |"


def topics_page() -> str:
    """docs/topics.md: the table for readers, then what each topic means."""
    titles = [
        "name",
        "key",
        "events",
        "producers",
        "consumers",
        "partitions",
        "retention",
        "cleanup",
        "tables",
        "dead-letter",
    ]
    return "\n".join(
        [
            "# Topics",
            "",
            "Generated from `libs/contracts/topics.py` by `python -m libs.contracts.export`; a test fails when it drifts.",
            "The market family's number of partitions is one setting (`PERPSTREAM_MARKET_PARTITIONS`); a symbol has the",
            "same partition number in each of its topics. Dead letters are kept "
            f"{_retention(DEAD_LETTER_RETENTION_MS)} with the original bytes.",
            "Machine-readable: [AsyncAPI 3.0](contracts/asyncapi.json) and the JSON Schemas that it refers to.",
            "",
            f"| {' | '.join(titles)} |",
            f"|{'---|' * len(titles)}",
            *(_row(topic) for topic in TOPICS),
            "",
            "## Meaning",
            "",
            *(f"- `{topic.name}`: {topic.meaning}" for topic in TOPICS),
            "",
        ]
    )


def documents() -> dict[str, str]:
    """Every generated document: text by path relative to docs/."""

    def text(document: Json) -> str:
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    return {
        "topics.md": topics_page(),
        "contracts/asyncapi.json": text(asyncapi()),
        **{f"contracts/{schema_path(kind)}": text(json_schema(kind)) for kind in event_types()},
    }


def main(arguments: list[str]) -> int:
    """Write the documents into docs/ of the current folder; with `--check` only name what differs (exit code 1)."""
    from pathlib import Path  # the one edge of this package: everything above is pure

    stale = []
    for name, text in documents().items():
        path = Path("docs") / name
        if not path.is_file() or path.read_text() != text:
            stale.append(name)
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    for name in stale:
        sys.stdout.write(f"{'stale' if '--check' in arguments else 'wrote'} docs/{name}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
