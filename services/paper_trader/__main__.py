"""`python -m services.paper_trader`."""

from libs.kit.service import run_service
from services.paper_trader.app import main

if __name__ == "__main__":
    run_service("paper_trader", main)
