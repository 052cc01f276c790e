"""Writes strategies/schema.json, the JSON Schema of strategy files: `python -m services.console.strategy_schema`.

It lists the factors that exist, so it is written again when one comes or goes; `make docs` does so too.
"""

import json
import sys
from collections.abc import Sequence

from infra.local.options import ROOT
from libs.streaming.strategies.files import SCHEMA_FILE
from libs.trading.strategy import strategy_schema
from services.console.output import guarded

SCHEMA = ROOT / "strategies" / SCHEMA_FILE


def schema_text() -> str:
    """What the file is to say."""
    return json.dumps(strategy_schema(), indent=2) + "\n"


def write_schema(arguments: Sequence[str]) -> int:
    """Write the schema where it differs; with `--check` only name it then (exit code 1)."""
    wanted, place = schema_text(), SCHEMA.relative_to(ROOT)
    if SCHEMA.is_file() and SCHEMA.read_text() == wanted:
        return 0
    if "--check" in arguments:
        print(f"{place} is not what the factors and fields say: run `make docs`", file=sys.stderr)
        return 1
    SCHEMA.write_text(wanted)
    print(f"wrote {place}")
    return 0


def main() -> None:
    """Run from the command line."""
    codes: list[int] = []
    failed = guarded(lambda: codes.append(write_schema(sys.argv[1:])))
    sys.exit(failed or codes[0])


if __name__ == "__main__":
    main()
