"""Entry point of `perpstream` and of `python -m services.console`."""

import sys

from libs.kit.interruption import interruptible


def main() -> None:
    """Run the command line."""
    sys.exit(interruptible(_run))


def _run() -> None:
    from services.console.entry import main as run

    run()


if __name__ == "__main__":
    main()
