"""Fixtures for every test; see tests/support/fixtures.py for what there is and how to ask for it."""

import pytest
from hypothesis import HealthCheck, settings

from tests.support.fixtures import (
    database_url,
    empty_kafka,
    kafka_bootstrap,
    module_database_url,
    own_kafka,
    own_postgres,
    own_requests_dir,
    session_broker,
    session_database,
)

__all__ = [
    "database_url",
    "empty_kafka",
    "kafka_bootstrap",
    "module_database_url",
    "own_kafka",
    "own_postgres",
    "own_requests_dir",
    "session_broker",
    "session_database",
]


# How long an example takes says how busy the machine is, not whether the property holds.
settings.register_profile("any_machine", settings.default, deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("any_machine")

# Files of several minutes each: begun first, so that no worker is left alone with one at the end.
LONG = ("tests/e2e/", "tests/services/trade_ingest/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; otherwise the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
