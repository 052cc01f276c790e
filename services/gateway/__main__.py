"""`python -m services.gateway`."""

from libs.kit.service import run_service
from services.gateway.app import main

if __name__ == "__main__":
    run_service("gateway", main)
