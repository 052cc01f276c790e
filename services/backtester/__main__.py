"""`python -m services.backtester REQUEST.json`: run what the request says; `perpstream backtest` writes the requests."""

import sys

from libs.kit.interruption import interruptible


def _run() -> int:
    from services.backtester.app import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(interruptible(_run, "interrupted; nothing was written"))
