"""`python -m services.executor`."""

from libs.kit.service import run_service
from services.executor.app import main

if __name__ == "__main__":
    run_service("executor", main)
