"""Migrations without an ini file: upgrade, downgrade, the current revision, and the check that tables and history agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store.engine import explained
from libs.store.notice_tables import metadata
from libs.store.partitions import is_partition_name
from libs.store.schema_version import current_revision

HEAD = "head"
BASE = "base"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('perpstream.migrations'))")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


async def _run(engine: AsyncEngine, work: Callable[[Connection], Any]) -> Any:
    async with explained(engine), engine.begin() as connection:
        # Several services may start at once: whoever comes second finds the work done.
        await connection.execute(_LOCK)
        try:
            return await connection.run_sync(work)
        except CommandError as error:
            raise ConfigurationError(
                f"the schema cannot be moved: {error}", where="database", todo="use the code that made it, or newer"
            ) from None


async def upgrade(engine: AsyncEngine, revision: str = HEAD) -> str | None:
    """Bring the schema to `revision`; returns the revision it has then. Raises `UnreachableError`, `ConfigurationError`."""
    await _run(engine, lambda connection: command.upgrade(_config(connection), revision))
    return await current_revision(engine)


async def downgrade(engine: AsyncEngine, revision: str) -> str | None:
    """Take the schema back to `revision` ("base" removes every table of ours, with its rows)."""
    await _run(engine, lambda connection: command.downgrade(_config(connection), revision))
    return await current_revision(engine)


def head_revision() -> str:
    """The newest revision this code knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("libs.store.migrations holds no revision")
    return head


def _include_name(name: str | None, kind: str, _: object) -> bool:
    return not (kind == "table" and name is not None and is_partition_name(name))


async def differences(engine: AsyncEngine) -> list[Any]:
    """What `alembic check` would complain about: empty when tables.py and the migrated database agree."""

    def compare(connection: Connection) -> list[Any]:
        options = {
            "include_name": _include_name,
            "compare_type": True,
            "compare_server_default": True,
        }
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with explained(engine), engine.connect() as connection:
        found: list[Any] = await connection.run_sync(compare)
        return found
