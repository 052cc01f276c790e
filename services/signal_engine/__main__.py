"""Entry point: `python -m services.signal_engine`."""

from libs.kit.service import run_service
from services.signal_engine.app import main

if __name__ == "__main__":
    run_service("signal_engine", main)
