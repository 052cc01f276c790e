"""`python -m services.recorder`."""

from libs.kit.service import run_service
from services.recorder.app import main

if __name__ == "__main__":
    run_service("recorder", main)
