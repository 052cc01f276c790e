"""`python -m services.gateway.stream_schema [FILE]`: write the JSON Schema of the stream; a test compares the file in docs/."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from services.gateway.stream_facts import SHAPES
from services.gateway.stream_messages import ClientMessage, ServerMessage

DEFAULT_FILE = Path(__file__).parents[2] / "docs" / "stream.schema.json"


def schema() -> dict[str, Any]:
    """Messages of both sides, and by channel what an item is. Events are those of the topics (docs/schemas)."""
    names = list(SHAPES)
    found, components = msgspec.json.schema_components(
        [ClientMessage, ServerMessage, *(SHAPES[name] for name in names)], ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Perpstream: /api/stream",
        "client": found[0],
        "server": found[1],
        "items": dict(zip(names, found[2:], strict=True)),
        "$defs": components,
    }


def document() -> str:
    """The schema as text, the same for the same code."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target.write_text(document())


if __name__ == "__main__":
    main()
