"""The polls of this service: what is asked of the venue, how often, and the premium of two venues."""

import asyncio
from collections.abc import Sequence
from functools import partial

from libs.contracts.market import IndicatorKind
from libs.exchanges import RATIO_KINDS, IndicatorValue, Instrument, Ticker
from libs.exchanges.budget import Priority
from libs.exchanges.errors import VenueError
from libs.exchanges.venue import Venue
from libs.kit.errors import BadMessage
from services.indicator_ingest.facts import coinbase_product, premium_value
from services.indicator_ingest.polling import Poll
from services.indicator_ingest.settings import IndicatorSettings

PERIOD = "5m"
PERIOD_SECONDS = 300.0
AFTER_PERIOD_SECONDS = 6.0
FUNDING_SECONDS = 3600.0
FUNDING_ROWS = 30


def polls(venue: Venue, instruments: dict[str, Instrument], settings: IndicatorSettings) -> list[Poll]:
    """Everything that is polled. Open interest begins with its history, so that changes are known from the start."""
    found = [
        Poll(
            "open_interest",
            settings.open_interest_seconds,
            1.0,
            _OpenInterest(venue, settings.history_periods).ask,
        ),
        Poll("funding_rate", FUNDING_SECONDS, 20.0, partial(_funding, venue)),
        Poll(
            "coinbase_premium",
            settings.premium_seconds,
            0.0,
            partial(_premium, venue, instruments, settings.premium_stale_seconds),
        ),
    ]
    found += [
        Poll(
            kind,
            PERIOD_SECONDS,
            AFTER_PERIOD_SECONDS,
            partial(_ratio, venue, kind, settings.history_periods),
            awaits_period=True,
        )
        for kind in RATIO_KINDS
    ]
    return found


class _OpenInterest:
    """The first answer for a symbol carries the five-minute history before the value of now."""

    def __init__(self, venue: Venue, periods: int) -> None:
        self._venue = venue
        self._periods = periods
        self._has_history: set[str] = set()

    async def ask(self, symbol: str, _: int) -> Sequence[IndicatorValue]:
        values: list[IndicatorValue] = []
        if symbol not in self._has_history:
            past = self._venue.market_data.at(Priority.WARM_UP)
            values += await past.open_interest_history(symbol, PERIOD, self._periods)
        values.append(await self._venue.market_data.open_interest(symbol))
        self._has_history.add(symbol)  # only now: history whose second answer fails is thrown away with it
        return values


async def _ratio(venue: Venue, kind: IndicatorKind, periods: int, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return await venue.market_data.ratio_history(symbol, kind, PERIOD, periods)


async def _funding(venue: Venue, symbol: str, _: int) -> Sequence[IndicatorValue]:
    return await venue.market_data.funding_rates(symbol, FUNDING_ROWS)


async def _premium(
    venue: Venue, instruments: dict[str, Instrument], stale_seconds: float, symbol: str, due: int
) -> Sequence[IndicatorValue]:
    """Both legs at the same instant; nothing when the Coinbase trade is old, the perpetual's price when spot is away."""
    product = coinbase_product(instruments[symbol].base_asset)
    coinbase, (ours, spot) = await asyncio.gather(venue.coinbase.ticker(product), _venue_leg(venue, symbol))
    if venue.clock.now_ms() - coinbase.time > stale_seconds * 1000:
        return []
    if (
        coinbase.time > venue.clock.latest_believable_ms()
    ):  # it would never become stale; our clock is not Coinbase's to doubt
        raise BadMessage("absurd_time", f"{product} at {coinbase.time}")
    return [premium_value(symbol, coinbase, ours, spot=spot, time=due)]


async def _venue_leg(venue: Venue, symbol: str) -> tuple[Ticker, bool]:
    try:
        return await venue.spot.ticker(symbol), True
    except VenueError:
        return await venue.market_data.ticker(symbol), False
