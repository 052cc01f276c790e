"""Whether the database's schema is what this code needs: asked by every service, so without the machinery that moves it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store.engine import explained, place

NEWEST_REVISION = "0013"
"""Of the folder of migrations; a test compares."""
_STANDS_AT = text("SELECT version_num FROM alembic_version")
_IS_THERE = text("SELECT to_regclass('alembic_version') IS NOT NULL")


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision the database stands at, or None for an empty one. Raises `UnreachableError`."""
    async with explained(engine), engine.connect() as connection:
        if not (await connection.execute(_IS_THERE)).scalar_one():
            return None
        found: str | None = (await connection.execute(_STANDS_AT)).scalar_one_or_none()
        return found


async def require_current(engine: AsyncEngine) -> None:
    """Raise `ConfigurationError` unless the database stands at this code's newest revision."""
    current = await current_revision(engine)
    if current != NEWEST_REVISION:
        raise ConfigurationError(
            f"the database's schema is at {current or 'nothing'}, this code needs {NEWEST_REVISION}",
            where=place(engine),
            todo="run: perpstream db migrate",
        )
