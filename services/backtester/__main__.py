"""`python -m services.backtester REQUEST.json`: run what the request says; `perpstream backtest` writes the requests."""

import sys

from services.backtester.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
