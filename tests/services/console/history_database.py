"""A database of the real market's, an importer for it, and questions to its tables."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store.archives import find_archives
from libs.store.engine import create_engine, read_session
from services.console.history.importing import FileReport, Importer, ImportOptions, planned


class NoProgress:
    """Nobody looks."""

    def start(self, file: str, what: str, total: int) -> None:
        """Another file."""

    def move(self, done: int) -> None:
        """Bytes of it."""


@asynccontextmanager
async def opened_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine with one connection, as the command line has."""
    engine = create_engine(DatabaseSettings(database_url=database_url), connections=1)
    try:
        yield engine
    finally:
        await engine.dispose()


async def import_all(
    engine: AsyncEngine, paths: Sequence[Path], options: ImportOptions | None = None
) -> list[FileReport]:
    """Import files as the command does."""
    archives = find_archives(paths).archives
    reports = planned(archives)
    await Importer(engine, options or ImportOptions(), NoProgress()).run(archives, reports)
    return reports


async def rows_of(engine: AsyncEngine, statement: str) -> list[tuple[Any, ...]]:
    """The answer to a question."""
    async with read_session(engine) as session:
        return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]
