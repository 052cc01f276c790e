"""Writes libs/notify/rules.schema.json, the JSON Schema of rules: `python -m libs.notify.schema`."""

import json
import sys
from pathlib import Path

from libs.notify.rules import rules_schema

SCHEMA = Path(__file__).parent / "rules.schema.json"
_ROOT = Path(__file__).parents[2]


def schema_text() -> str:
    """What the file is to say."""
    return json.dumps(rules_schema(), indent=2) + "\n"


def main() -> None:
    """Write the schema where it differs; with `--check` only name it then (exit code 1)."""
    place = SCHEMA.relative_to(_ROOT)
    if SCHEMA.is_file() and SCHEMA.read_text() == schema_text():
        return
    if "--check" in sys.argv[1:]:
        sys.stderr.write(f"{place} is not what the code says: run `make docs`\n")
        sys.exit(1)
    SCHEMA.write_text(schema_text())
    sys.stdout.write(f"wrote {place}\n")


if __name__ == "__main__":
    main()
