"""Fixtures for every test; see tests/support/fixtures.py for what there is and how to ask for it."""

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

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
# Folders whose files share one running stack: they stay with one worker, so that there is one.
SHARED_STACK = ("tests/services/dashboard/",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; otherwise the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests go to one worker, and so do those of a folder that shares a stack."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in SHARED_STACK if nodeid.startswith(folder)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether | None:
    """How tests are given to workers, unless the command line wants it otherwise."""
    return FilesTogether(config, log) if config.getvalue("dist") == "loadfile" else None
