"""Which market a database belongs to: a live venue, a synthetic seed, or a recording and its start; two do not mix."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store.engine import read_session, write_session

_KNOWN = text("SELECT identity, description FROM market_source")


@dataclass(frozen=True, slots=True)
class MarketSource:
    """`identity` decides whether two markets are the same; `description` is for people."""

    identity: str
    description: str


async def known_source(engine: AsyncEngine) -> MarketSource | None:
    """The market whose rows are in the database, or None while nobody has claimed it."""
    async with read_session(engine) as session:
        row = (await session.connection.execute(_KNOWN)).one_or_none()
        return None if row is None else MarketSource(row.identity, row.description)


async def claim_source(engine: AsyncEngine, source: MarketSource) -> None:
    """Remember the market, or check that it is the same. Raises `ConfigurationError` when the database has another one."""
    async with write_session(engine) as session:
        await session.raw.execute(
            "INSERT INTO market_source (only_row, identity, description) VALUES (true, $1, $2) ON CONFLICT DO NOTHING",
            source.identity,
            source.description,
        )
        known = (await session.connection.execute(_KNOWN)).one()
    if known.identity != source.identity:
        raise ConfigurationError(
            f"the database belongs to another market: {known.description}, not {source.description}",
            where=engine.url.render_as_string(hide_password=True),
            todo="use a fresh database, or go on with the market it belongs to",
        )
