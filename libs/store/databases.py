"""Another database on the same server: history for research lies beside the live market, and never in it."""

import re

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError, UserError
from libs.kit.secrets import masked
from libs.store.engine import explained

# What needs no quotes in a URL or a shell; in SQL a word of its own, like user, does.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


async def create_database(engine: AsyncEngine, name: str) -> None:
    """Create an empty database. Raises `ConfigurationError` for a name that needs quotes, `UserError` when it is there already
    or the server refuses, `UnreachableError`."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "that is no name of a database", where=name, todo="take a-z, 0-9 and _, a letter first, like research"
        )
    place = masked(engine.url.set(database=name).render_as_string(hide_password=True))
    try:
        async with explained(engine), engine.connect() as connection:
            # PostgreSQL creates no database inside a transaction.
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text(f'CREATE DATABASE "{name}"'))
    except DBAPIError as error:
        reason = getattr(error.orig, "__cause__", None)
        if isinstance(reason, asyncpg.DuplicateDatabaseError):
            raise UserError("the database is there already", where=place, todo="use it, or take another name") from None
        if isinstance(reason, asyncpg.InsufficientPrivilegeError):
            raise UserError(
                "the server lets this user create no database", where=place, todo="ask who runs the server for one"
            ) from None
        raise
