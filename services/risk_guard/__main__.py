"""`python -m services.risk_guard`."""

from libs.kit.service import run_service
from services.risk_guard.app import main

if __name__ == "__main__":
    run_service("risk_guard", main)
