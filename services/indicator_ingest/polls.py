"""The polls of this service: what is asked of the venue, how often, and the premium of two venues."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from libs.contracts.market import IndicatorKind
from libs.exchanges import RATIO_KINDS, IndicatorValue, Instrument, Ticker
from libs.exchanges.errors import VenueError
from libs.exchanges.venue import Venue
from libs.kit.errors import BadMessage
from services.indicator_ingest.facts import coinbase_product, premium_value
from services.indicator_ingest.polling import Poll, StaleAnswer
from services.indicator_ingest.schedules import PERIOD, SCHEDULES, Schedule
from services.indicator_ingest.settings import IndicatorSettings

FUNDING_ROWS = 30
LEGS_APART_MS = 5_000
"""Two prices further apart in time are two markets' moves, not a premium."""


def polls(venue: Venue, instruments: dict[str, Instrument], settings: IndicatorSettings) -> list[Poll]:
    """Everything that is polled. What has periods begins with the last of them, so that changes are known from the start."""
    periods = settings.history_periods
    found = [
        Poll(_each("open_interest", settings.open_interest_seconds), partial(_open_interest, venue)),
        Poll(SCHEDULES["open_interest_history"], partial(_open_interest_history, venue, periods)),
        Poll(SCHEDULES["funding_rate"], partial(_funding, venue)),
        Poll(
            _each("coinbase_premium", settings.premium_seconds),
            partial(_premium, venue, instruments, settings.premium_stale_seconds),
        ),
    ]
    return found + [Poll(SCHEDULES[kind], partial(_ratio, venue, kind, periods)) for kind in RATIO_KINDS]


def _each(feed: str, seconds: float) -> Schedule:
    """The feed's schedule with an interval of the operator's; three of them without news are too many, however long they are."""
    schedule = SCHEDULES[feed]
    return replace(schedule, every_seconds=seconds, stale_seconds=max(schedule.stale_seconds, 3 * seconds))


async def _open_interest(venue: Venue, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return [await venue.market_data.open_interest(symbol)]


async def _open_interest_history(venue: Venue, periods: int, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return await venue.market_data.open_interest_history(symbol, PERIOD, periods)


async def _funding(venue: Venue, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return await venue.market_data.funding_rates(symbol, FUNDING_ROWS)


async def _ratio(venue: Venue, kind: IndicatorKind, periods: int, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return await venue.market_data.ratio_history(symbol, kind, PERIOD, periods)


async def _premium(
    venue: Venue, instruments: dict[str, Instrument], stale_seconds: float, symbol: str, due: int
) -> Sequence[IndicatorValue]:
    """Both legs at the same instant, or no value: the perpetual's price takes the place of spot when that is away."""
    product = coinbase_product(instruments[symbol].base_asset)
    coinbase, (ours, spot) = await asyncio.gather(venue.coinbase.ticker(product), _venue_leg(venue, symbol))
    for leg in (coinbase, ours):
        # It would never become stale; our clock is not the other venue's to doubt.
        if leg.time > venue.clock.latest_believable_ms():
            raise BadMessage("absurd_time", f"{leg.product} at {leg.time}")
    apart = abs(coinbase.time - ours.time)
    if apart > LEGS_APART_MS:
        raise StaleAnswer(f"the last trades of {product} and {ours.product} are {apart / 1000:.1f} s apart")
    age = venue.clock.now_ms() - min(coinbase.time, ours.time)
    if age > stale_seconds * 1000:
        raise StaleAnswer(f"the last trades of {product} and {ours.product} are {age / 1000:.0f} s old")
    return [premium_value(symbol, coinbase, ours, spot=spot, time=due)]


async def _venue_leg(venue: Venue, symbol: str) -> tuple[Ticker, bool]:
    try:
        return await venue.spot.ticker(symbol), True
    except VenueError:
        return await venue.market_data.ticker(symbol), False
