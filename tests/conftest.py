"""Fixtures for every test; see tests/support/fixtures.py for what there is and how to ask for it."""

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
