"""`python -m services.exchange_simulator`: start the simulated venue."""

from libs.kit.service import run_service
from services.exchange_simulator.app import main

if __name__ == "__main__":
    run_service("exchange_simulator", main)
