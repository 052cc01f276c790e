"""From settings to a venue: addresses, a synchronised clock and clients; the one place that knows which venues there are."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

import aiohttp

from libs.exchanges import ClockReading, Instrument, MarketData, MarketStreams, SpotTicker
from libs.exchanges.binance import BinanceMarketData, BinanceSpot, BinanceStreams
from libs.exchanges.binance import urls as binance_urls
from libs.exchanges.binance.rest import SPOT_PATIENCE_SECONDS
from libs.exchanges.budget import Priority
from libs.exchanges.coinbase import CoinbaseSpot
from libs.exchanges.coinbase import urls as coinbase_urls
from libs.exchanges.errors import RateLimited, VenueError
from libs.exchanges.limiter import Limiter, open_limiter
from libs.kit.clock import SystemClock, VenueClock
from libs.kit.errors import UnreachableError, UserError
from libs.kit.logging import get_logger
from libs.kit.settings import VenueSettings

RESYNCHRONISE_SECONDS = 30.0
FIRST_ANSWER_SECONDS, ORDINARY_START_SECONDS = 60.0, 20.0
SLOW_ROUND_TRIP_SECONDS = 0.2
# At most so often is a doubted clock compared again.
DOUBT_SECONDS = 0.5
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class VenueAddresses:
    """Base URLs, without paths."""

    rest: str
    websocket: str
    spot_rest: str
    coinbase_rest: str


def addresses(settings: VenueSettings) -> VenueAddresses:
    """The settings' addresses; on venue `binance` those that were not set are the production hosts."""
    given = VenueAddresses(
        settings.binance_rest_url,
        settings.binance_websocket_url,
        settings.binance_spot_rest_url,
        settings.coinbase_rest_url,
    )
    if settings.venue == "simulator":
        return given
    named = settings.model_fields_set
    return VenueAddresses(
        given.rest if "binance_rest_url" in named else binance_urls.REST,
        given.websocket if "binance_websocket_url" in named else binance_urls.WEBSOCKET,
        given.spot_rest if "binance_spot_rest_url" in named else binance_urls.SPOT_REST,
        given.coinbase_rest if "coinbase_rest_url" in named else coinbase_urls.REST,
    )


@dataclass(frozen=True, slots=True)
class Venue:
    """Everything an ingest service needs of a venue."""

    addresses: VenueAddresses
    clock: VenueClock
    market_data: MarketData
    streams: MarketStreams
    spot: SpotTicker
    coinbase: SpotTicker


async def synchronise(market_data: MarketData, clock: VenueClock) -> int:
    """Set the clock to the venue's, corrected by half of the round trip; returns the correction (ms).

    A slow round trip says little about now: then it is asked again, and the fastest of three answers counts.
    """
    best: ClockReading | None = None
    for _ in range(3):
        reading = await market_data.read_clock()
        if best is None or reading.answered - reading.asked < best.answered - best.asked:
            best = reading
        if best.answered - best.asked < SLOW_ROUND_TRIP_SECONDS:
            break
    assert best is not None
    since = time.monotonic() - (best.asked + best.answered) / 2
    clock.doubted.clear()
    return clock.synchronise(best.venue_ms + int(since * 1000 * clock.speed))


async def first_answer(ask: Callable[[], Awaitable[Answer]], where: str) -> Answer:
    """Ask until the venue answers. A limit or a ban is waited out, however long it is: the request budget holds the next
    question back, also that of a process that is started again meanwhile. Raises `UnreachableError` when anything else
    has lasted for `FIRST_ANSWER_SECONDS`."""
    log, begun = get_logger("venue"), time.monotonic()
    deadline = begun + FIRST_ANSWER_SECONDS
    while True:
        try:
            return await ask()
        except RateLimited as error:
            log.warning("the venue lets us ask later", error=str(error), until_ms=error.until_ms)
            deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        except VenueError as error:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"the venue does not answer: {error}",
                    where=where,
                    todo="check the address (PERPSTREAM_BINANCE_REST_URL) and that the venue or simulator runs",
                ) from None
            # A venue that is started beside us takes its time.
            tell = log.warning if time.monotonic() - begun > ORDINARY_START_SECONDS else log.info
            tell("the venue does not answer yet", error=str(error))
            await asyncio.sleep(1)


def _at_first(market_data: MarketData) -> MarketData:
    """How a process asks its first, cheap questions: it can fill no gap before it has their answers."""
    return market_data.at(Priority.GAPS)


async def first_instruments(
    venue: Venue, symbols: Sequence[str], configured: Sequence[str] | None = None
) -> dict[str, Instrument]:
    """What the venue says of the symbols, at a start: its refusals are waited out for a while.

    Raises `UserError` for a symbol that it does not have, `UnreachableError` when it goes on refusing. One that is not among
    `configured` was added while running, where a person may have erred without anybody else having to suffer: it is left out.
    """
    asking, where = _at_first(venue.market_data), venue.addresses.rest
    required = [symbol for symbol in symbols if configured is None or symbol in configured]
    added = [symbol for symbol in symbols if symbol not in required]
    found = await first_answer(lambda: asking.instruments(required), where)
    return found | (await first_answer(lambda: known_instruments(asking, added), where) if added else {})


def _warn(symbol: str, error: UserError) -> None:
    # Where the name stands is not said: it may be of a setting, of the account's configuration, or of a person's command.
    why, todo = error.advice.what, error.advice.todo
    get_logger("venue").warning("a symbol cannot be followed", symbol=symbol, why=why, todo=todo)


async def known_instruments(
    market_data: MarketData, symbols: Sequence[str], tell: Callable[[str, UserError], None] = _warn
) -> dict[str, Instrument]:
    """What the venue says of those that it has; `tell` hears of each of the others. Raises `VenueError`."""
    try:
        return await market_data.instruments(symbols)
    except UserError as error:
        if len(symbols) == 1:
            tell(symbols[0], error)
            return {}
    found: dict[str, Instrument] = {}
    for symbol in symbols:
        found |= await known_instruments(market_data, [symbol], tell)
    return found


class Timed(Protocol):
    """What keeping its clock needs of a venue or an account."""

    @property
    def clock(self) -> VenueClock: ...
    @property
    def market_data(self) -> MarketData: ...


async def keep_clock(venue: Timed) -> None:
    """Correct the venue clock again and again, and soon when it is in doubt, until cancelled; a failed attempt waits for the
    next turn."""
    log = get_logger("venue")
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(venue.clock.doubted.wait(), RESYNCHRONISE_SECONDS)
            await asyncio.sleep(DOUBT_SECONDS)
        try:
            correction = await synchronise(venue.market_data, venue.clock)
        except VenueError as error:
            log.warning("the venue's clock cannot be read", error=str(error))
        else:
            if abs(correction) > 250 * venue.clock.speed:
                log.info("venue clock corrected", milliseconds=correction)


@asynccontextmanager
async def open_venue(settings: VenueSettings) -> AsyncIterator[Venue]:
    """Clients with one HTTP session and a synchronised clock; raises `UnreachableError` when the venue stays silent."""
    where = addresses(settings)
    async with aiohttp.ClientSession() as session:
        paced = settings.venue_speed != "max"
        speed = float(settings.venue_speed) if paced else 1.0
        clock = VenueClock(SystemClock().now_ms(), speed, paced=paced)

        def limiter(venue: str, base_url: str) -> Limiter:
            return open_limiter(venue, base_url, settings.requests_dir, speed if paced else None)

        venue = Venue(
            addresses=where,
            clock=clock,
            market_data=BinanceMarketData(session, where.rest, clock, limiter("binance", where.rest)),
            streams=BinanceStreams(where.websocket, clock),
            spot=BinanceSpot(
                session,
                where.spot_rest,
                clock,
                limiter("binance_spot", where.spot_rest),
                SPOT_PATIENCE_SECONDS / speed,
            ),
            coinbase=CoinbaseSpot(session, where.coinbase_rest, clock, limiter("coinbase", where.coinbase_rest)),
        )
        await first_answer(lambda: synchronise(_at_first(venue.market_data), clock), where.rest)
        yield venue
