"""Start with `python -m services.liquidation_ingest`."""

from libs.kit.service import run_service
from services.liquidation_ingest.app import main

if __name__ == "__main__":
    run_service("liquidation_ingest", main)
