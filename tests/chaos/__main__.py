"""`python -m tests.chaos [money|processes|parity]`: what is broken on purpose, and whether everything holds; money by default."""

import runpy
import sys

PARTS = {"money": "tests.chaos.money", "processes": "tests.chaos.processes", "parity": "tests.chaos.parity"}


def main() -> None:
    """The first word names the part; everything after it is that part's."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] in PARTS else "money"
    runpy.run_module(PARTS[name], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
