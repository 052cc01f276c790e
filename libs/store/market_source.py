"""Which market a database belongs to: a live venue, a synthetic seed and its start, or a recording; two do not mix."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store.engine import place, read_session, write_session

_KNOWN = text("SELECT identity FROM market_source")


async def claim_source(engine: AsyncEngine, market: str) -> None:
    """Remember the market (in words), or check that it is the same.

    Raises `ConfigurationError` when the database holds another one's facts: they could share ids.
    """
    async with write_session(engine) as session:
        await session.raw.execute(
            "INSERT INTO market_source (only_row, identity, description) VALUES (true, $1, $1) ON CONFLICT DO NOTHING",
            market,
        )
        known = (await session.connection.execute(_KNOWN)).scalar_one()
    if known != market:
        raise ConfigurationError(
            f"the database belongs to another market: {known}, not {market}",
            where=place(engine),
            todo="use a fresh database, or go on with the market it belongs to",
        )


async def known_source(engine: AsyncEngine) -> str | None:
    """The market that the database belongs to, in words; None when nobody has said so yet."""
    async with read_session(engine) as session:
        found: str | None = (await session.connection.execute(_KNOWN)).scalar_one_or_none()
        return found
