"""`python -m services.notifier`."""

from libs.kit.service import run_service
from services.notifier.app import main

if __name__ == "__main__":
    run_service("notifier", main)
