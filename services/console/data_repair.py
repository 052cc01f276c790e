"""`perpstream data verify --repair`: from the venue of the database's market, or from archive files."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from libs.exchanges.budget import Priority
from libs.exchanges.venue import open_venue
from libs.kit.clock import SystemClock
from libs.kit.durations import DAY_MS
from libs.kit.errors import ConfigurationError, UserError
from libs.kit.settings import VenueSettings
from libs.store.archives import find_archives
from libs.store.market_source import known_source
from libs.store.verification import verify
from services.console.database import with_engine
from services.console.history.repairing import ArchivedTrades, VenueTrades, repair
from services.console.output import StateDir
from services.console.venues import venue_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.repair import RepairedGap

VENUE = "venue"
_MOST_GAPS = 100_000


def repair_span(folder: StateDir, origin: str, span: tuple[str, dt.datetime, dt.datetime]) -> "list[RepairedGap]":
    """Look for what the span (symbol, start, stop) misses at `origin`: "venue", or a file or folder of archives.

    Raises `ConfigurationError` when the venue is not the one that the database's market is of.
    """
    symbol = span[0]
    where = Console(stderr=True)
    with where.status(f"looking for missing trades of {symbol}: {origin}"):
        if origin == VENUE:
            settings = venue_settings(folder)
            found, refusals = with_engine(folder, lambda engine: _from_venue(engine, settings, span))
        else:
            newest_ms = SystemClock().now_ms() + DAY_MS
            archives = ArchivedTrades(find_archives([Path(origin)], symbol).archives, newest_ms)
            found, refusals = with_engine(folder, lambda engine: _from_archives(engine, archives, span)), []
    for refusal in refusals:
        where.print(f"the venue: {refusal}", style="yellow", markup=False)
    return found


async def _from_venue(
    engine: "AsyncEngine", settings: VenueSettings, span: tuple[str, dt.datetime, dt.datetime]
) -> "tuple[list[RepairedGap], list[str]]":
    market = await known_source(engine)
    if market is None or not f"{market},".startswith(f"venue {settings.venue},"):
        raise ConfigurationError(
            f"the database holds the market {market or 'of nobody knows where'}, the venue is {settings.venue}",
            where="PERPSTREAM_VENUE",
            todo="name the venue that these trades are of, or repair from archive files",
        )
    gaps = (await verify(engine, *span, most_gaps=_MOST_GAPS)).gaps
    async with open_venue(settings) as venue:
        source = VenueTrades(venue.market_data.at(Priority.GAPS))
        return await repair(engine, source, span[0], gaps, venue.clock), source.refusals


async def _from_archives(
    engine: "AsyncEngine", archives: ArchivedTrades, span: tuple[str, dt.datetime, dt.datetime]
) -> "list[RepairedGap]":
    market = await known_source(engine)
    if market is not None and market.startswith("venue simulator"):
        raise UserError(
            f"the database holds the market {market}, archive files are of the exchange",
            where="--repair",
            todo="repair from the venue: --repair venue",
        )
    gaps = (await verify(engine, *span, most_gaps=_MOST_GAPS)).gaps
    return await repair(engine, archives, span[0], gaps, SystemClock())
