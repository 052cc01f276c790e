"""`python -m services.gateway.openapi [FILE]`: write the API's description; a test compares the file in docs/ with it."""

import json
import sys
from pathlib import Path

from services.gateway.api import create_api

DEFAULT_FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def document() -> str:
    """The OpenAPI document as text, the same for the same code."""
    return json.dumps(create_api(None).openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE
    target.write_text(document())


if __name__ == "__main__":
    main()
