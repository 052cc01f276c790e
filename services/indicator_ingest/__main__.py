"""Start with `python -m services.indicator_ingest`."""

from libs.kit.service import run_service
from services.indicator_ingest.app import main

if __name__ == "__main__":
    run_service("indicator_ingest", main)
