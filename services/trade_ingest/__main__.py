"""Start with `python -m services.trade_ingest`."""

from libs.kit.service import run_service
from services.trade_ingest.app import main

if __name__ == "__main__":
    run_service("trade_ingest", main)
