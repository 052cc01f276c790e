"""Entry point: `python -m services.sequencer`."""

from libs.kit.service import run_service
from services.sequencer.app import main

if __name__ == "__main__":
    run_service("sequencer", main)
