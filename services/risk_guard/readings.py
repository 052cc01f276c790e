"""What the guard asks the venue again and again, each question on its own, so that one that hangs holds up no other.

While something is open positions are read more than once a second, because a break has to act within one; stops are asked for at
once when a position or a stop has changed, and again a second later as long as one is bare.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from libs.exchanges.errors import VenueError
from libs.kit.durations import DAY_MS
from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.kit.tasks import run_all
from services.risk_guard.hands import Hands
from services.risk_guard.moment import Moment, moment
from services.risk_guard.picture import Picture
from services.risk_guard.ports import GuardParts

OPEN_SECONDS, FLAT_SECONDS = 0.6, 3.0
BARE_SECONDS, STOPS_SECONDS = 1.0, 2.0
BALANCE_SECONDS, STATEMENT_SECONDS = 4.0, 300.0
PRICES_SECONDS, SKEW_SECONDS, RULES_SECONDS = 4.0, 30.0, 900.0
AGAIN_SECONDS, SOON_SECONDS = 0.5, 0.1
PATIENCE_SECONDS = 2.5
"""An answer that takes longer is of another time."""
MANY_SYMBOLS = 30
"""From so many on the list of all conditional orders is cheaper (40) than one list each."""


@dataclass(slots=True)
class Readings:
    """`news`: what was read is worth a look."""

    parts: GuardParts
    picture: Picture
    hands: Hands
    news: Callable[[], None]
    _positions: asyncio.Event = field(default_factory=asyncio.Event)
    _stops: asyncio.Event = field(default_factory=asyncio.Event)
    _money: asyncio.Event = field(default_factory=asyncio.Event)
    _rules: asyncio.Event = field(default_factory=asyncio.Event)

    def ask_at_once(self) -> None:
        """Positions and stops have changed, or what was heard of them may have been missed."""
        self._positions.set()
        self._stops.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        never = asyncio.Event()
        await run_all(
            self._again("positions", self._read_positions, self._positions_pause, self._positions),
            self._again("stops", self._read_stops, self._stops_pause, self._stops),
            self._again("balances", self._read_balances, lambda: BALANCE_SECONDS, never),
            self._again("statement", self._read_statement, self._statement_pause, self._money),
            self._again("prices", self._read_prices, lambda: PRICES_SECONDS, never),
            self._again("clock", self._read_clock, lambda: SKEW_SECONDS, never),
            self._again("rules", self._read_rules, lambda: RULES_SECONDS, self._rules),
        )

    async def _again(
        self, name: str, ask: Callable[[], Awaitable[None]], pause: Callable[[], float], at_once: asyncio.Event
    ) -> None:
        failing = False
        while True:
            at_once.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await ask()
            except (VenueError, TimeoutError, UserError) as error:
                if not failing:
                    get_logger("readings").warning("the venue cannot be read", what=name, error=str(error))
                failing = True
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if failing:
                get_logger("readings").info("the venue can be read again", what=name)
            failing = False
            self.news()
            await asyncio.sleep(SOON_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(at_once.wait(), max(0.0, pause() - SOON_SECONDS))

    async def _read_positions(self) -> None:
        asked = self._now()
        before = set(self.picture.positions.open())
        self.picture.positions.listed(asked.at_ms, await self.parts.venue.positions())
        self.picture.account_heard(self._now().at_ms)
        current = set(self.picture.positions.open())
        if current - before:
            self._stops.set()
        if {symbol for symbol, _ in current} - self.hands.rules.keys():
            self._rules.set()

    async def _read_stops(self) -> None:
        symbols = sorted({symbol for symbol, _ in self.picture.positions.open()})
        if len(symbols) >= MANY_SYMBOLS:
            asked = self._now()
            every = await self.parts.venue.open_conditionals()
            for symbol in symbols:
                self.picture.stops.listed(symbol, asked.at_ms, every)
        else:
            # One that the venue does not answer for leaves the others readable.
            asked_of = (self._read_stops_of(symbol) for symbol in symbols)
            failures = [one for one in await asyncio.gather(*asked_of, return_exceptions=True) if one is not None]
            if failures:
                raise failures[0]

    async def _read_stops_of(self, symbol: str) -> None:
        asked = self._now()
        self.picture.stops.listed(symbol, asked.at_ms, await self.parts.venue.open_conditionals(symbol))
        self.news()

    async def _read_balances(self) -> None:
        asked = self._now()
        self.picture.money.read(asked.at_ms, await self.parts.venue.balances())
        self.picture.account_heard(self._now().at_ms)
        if self.picture.money.wants_statement(self._now()):
            self._money.set()

    async def _read_statement(self) -> None:
        """With the wallet before it and nothing told meanwhile, so that both say the same."""
        money, asked = self.picture.money, self._now()
        money.read(asked.at_ms, await self.parts.venue.balances())
        changes, day = money.changes, asked.now_ms // DAY_MS
        entries = await self.parts.venue.income(day * DAY_MS, self._now().now_ms)
        if money.changes == changes:
            money.stated(day, entries)

    async def _read_prices(self) -> None:
        asked = self._now()
        self.picture.market.prices = dict(await self.parts.market.last_prices())
        self.picture.market.prices_at_ms = asked.at_ms

    async def _read_clock(self) -> None:
        skew = await self.parts.market.clock_skew_ms()
        self.picture.market.skew_ms, self.picture.market.skew_at_ms = skew, self._now().at_ms

    async def _read_rules(self) -> None:
        symbols = sorted({symbol for symbol, _ in self.picture.positions.open()} | set(self.hands.rules))
        self.hands.rules.update(await self.parts.market.rules(symbols))

    def _positions_pause(self) -> float:
        return OPEN_SECONDS if self.picture.is_open() else FLAT_SECONDS

    def _stops_pause(self) -> float:
        return BARE_SECONDS if self.picture.has_bare() else STOPS_SECONDS

    def _statement_pause(self) -> float:
        return BALANCE_SECONDS if self.picture.money.wants_statement(self._now()) else STATEMENT_SECONDS

    def _now(self) -> Moment:
        return moment(self.parts.clock)
