"""A migrated database with the partitions that the tests' trades need."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine


@pytest.fixture
async def empty_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a database without tables."""
    engine = create_engine(DatabaseSettings(database_url=database_url))
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(empty_engine: AsyncEngine) -> AsyncEngine:
    """An engine on a database at the newest revision."""
    await migrate.upgrade(empty_engine)
    return empty_engine
