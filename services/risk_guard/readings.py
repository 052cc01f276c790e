"""What the guard asks the venue again and again, each question on its own, so that one that hangs holds up no other.

A break has to act within a second of its cause. What is open is worth what the stream of mark prices says each second; while that
or the user stream is silent, positions are read more often than once a second instead. Stops of a symbol are read when its
position or one of its stops has changed, each second while it is bare, and now and then. Each question costs weight of the
address, which all processes of the machine share.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from libs.exchanges.errors import VenueError
from libs.exchanges.worth import Rests
from libs.kit.durations import DAY_MS
from libs.kit.errors import UserError
from libs.kit.logging import get_logger
from libs.kit.tasks import run_all
from services.risk_guard.hands import Hands
from services.risk_guard.moment import Moment, moment
from services.risk_guard.picture import Changed, Picture
from services.risk_guard.ports import GuardParts

HOLDINGS_SECONDS, UNFOLLOWED_SECONDS, EVENT_SECONDS = 3.0, 0.6, 0.5
BARE_SECONDS, UNTOLD_SECONDS, STOPS_SECONDS = 1.0, 2.0, 3.0
STATEMENT_SECONDS, UNEXPLAINED_SECONDS = 300.0, 4.0
PRICES_SECONDS, SKEW_SECONDS, RULES_SECONDS = 4.0, 30.0, 900.0
FEES_SECONDS, FEE_REST_SECONDS, LONGEST_FEE_REST_SECONDS = 1.0, 1.0, 60.0
"""An asset whose worth nobody tells now is asked for again after so long, and ever later."""
AGAIN_SECONDS, SOON_SECONDS, TURN_SECONDS, LEAST_SECONDS = 0.5, 0.1, 0.2, 0.001
PATIENCE_SECONDS = 2.5
"""An answer that takes longer is of another time."""
MANY_SYMBOLS = 40
"""From so many on the list of all conditional orders is cheaper (40) than one list each."""


@dataclass(slots=True)
class Readings:
    """`news`: what was read is worth a look."""

    parts: GuardParts
    picture: Picture
    hands: Hands
    news: Callable[[], None]
    _holdings: asyncio.Event = field(default_factory=asyncio.Event)
    _stops: asyncio.Event = field(default_factory=asyncio.Event)
    _money: asyncio.Event = field(default_factory=asyncio.Event)
    _rules: asyncio.Event = field(default_factory=asyncio.Event)
    _fees: asyncio.Event = field(default_factory=asyncio.Event)
    _fee_rests: Rests = field(default_factory=lambda: Rests(FEE_REST_SECONDS, LONGEST_FEE_REST_SECONDS))
    _changed: set[str] = field(default_factory=set)

    def ask_at_once(self) -> None:
        """Something of all this may have been missed."""
        self._changed |= {symbol for symbol, _ in self.picture.positions.open()}
        self._holdings.set()
        self._stops.set()

    def ask_for(self, changed: Changed) -> None:
        """The user stream has told of a change."""
        self._changed |= changed.positions | changed.stops
        if changed.positions:
            self._holdings.set()
        if self._changed:
            self._stops.set()
        if self.picture.money.fees.unvalued():
            self._fees.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        never = asyncio.Event()
        await run_all(
            self._again("holdings", self._read_holdings, self._holdings_pause, self._holdings, EVENT_SECONDS),
            self._again("stops", self._read_stops, lambda: TURN_SECONDS, self._stops),
            self._again("statement", self._read_statement, self._statement_pause, self._money),
            self._again("prices", self._read_prices, self._prices_pause, never),
            self._again("clock", self._read_clock, lambda: SKEW_SECONDS, never),
            self._again("fees", self._value_fees, lambda: FEES_SECONDS, self._fees),
            self._again("rules", self._read_rules, lambda: RULES_SECONDS, self._rules),
        )

    async def _again(
        self,
        name: str,
        ask: Callable[[], Awaitable[None]],
        pause: Callable[[], float],
        at_once: asyncio.Event,
        apart: float = SOON_SECONDS,
    ) -> None:
        """`apart`: so long after a question it is asked again at the earliest (s)."""
        failing, loop = False, asyncio.get_running_loop()
        while True:
            at_once.clear()
            asked = loop.time()
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
            await asyncio.sleep(apart)
            # How long it may take changes meanwhile: a stream of prices may fall silent, a position lose its stop.
            while not at_once.is_set() and (left := asked + pause() - loop.time()) > LEAST_SECONDS:
                with suppress(TimeoutError):
                    await asyncio.wait_for(at_once.wait(), min(left, TURN_SECONDS))

    async def _read_holdings(self) -> None:
        asked, picture = self._now(), self.picture
        before = set(picture.positions.open())
        found = await self.parts.venue.holdings()
        picture.positions.listed(asked.at_ms, found.positions)
        picture.money.read(asked.at_ms, found.balances)
        picture.account_heard(self._now().at_ms)
        current = set(picture.positions.open())
        if current - before:
            self._changed |= {symbol for symbol, _ in current - before}
            self._stops.set()
        if {symbol for symbol, _ in current} - self.hands.rules.keys():
            self._rules.set()
        if picture.money.wants_statement(self._now()):
            self._money.set()

    async def _read_stops(self) -> None:
        """Of the symbols whose lists are due."""
        symbols = self._due()
        if len(symbols) >= MANY_SYMBOLS:
            asked = self._now()
            every = await self.parts.venue.open_conditionals()
            for symbol in symbols:
                self.picture.stops.listed(symbol, asked.at_ms, every)
            self._changed.difference_update(symbols)
        else:
            # One that the venue does not answer for leaves the others readable.
            asked_of = (self._read_stops_of(symbol) for symbol in symbols)
            failures = [one for one in await asyncio.gather(*asked_of, return_exceptions=True) if one is not None]
            if failures:
                raise failures[0]

    def _due(self) -> list[str]:
        now_ms, picture = self._now().at_ms, self.picture
        covered_seconds = STOPS_SECONDS if picture.is_told else UNTOLD_SECONDS
        symbols = {symbol for symbol, _ in picture.positions.open()}
        self._changed &= symbols
        due: list[str] = []
        for symbol in sorted(symbols):
            asked_at_ms = picture.stops.asked_at_ms(symbol)
            seconds = BARE_SECONDS if picture.has_bare(symbol) else covered_seconds
            if asked_at_ms is None or symbol in self._changed or now_ms - asked_at_ms >= seconds * 1000:
                due.append(symbol)
        return due

    async def _read_stops_of(self, symbol: str) -> None:
        asked = self._now()
        self._changed.discard(symbol)
        self.picture.stops.listed(symbol, asked.at_ms, await self.parts.venue.open_conditionals(symbol))
        self.news()

    async def _read_statement(self) -> None:
        """With the wallet before it and nothing told meanwhile, so that both say the same."""
        money, asked = self.picture.money, self._now()
        money.read(asked.at_ms, await self.parts.venue.balances())
        changes, day = money.changes, asked.now_ms // DAY_MS
        entries = await self.parts.venue.income(day * DAY_MS, self._now().now_ms)
        if money.changes == changes:
            money.stated(day, entries)
            self._fees.set()

    async def _value_fees(self) -> None:
        """What fees in other assets were worth when they were paid; those of a whole day are one question."""
        fees = self.picture.money.fees
        for asset, (first_ms, last_ms) in fees.unvalued().items():
            now, prices, why = self._now().at_ms / 1000, {}, "nobody trades it"
            if not self._fee_rests.is_due(asset, now):
                continue
            try:
                prices = dict(await self.parts.market.worth(asset, first_ms, last_ms))
            except VenueError as error:
                why = str(error)
            fees.valued(asset, prices)
            if asset not in fees.unvalued():
                self._fee_rests.told(asset)
                continue
            rest = self._fee_rests.missed(asset, now)
            if not prices:
                get_logger("readings").warning("a fee cannot be valued now", asset=asset, why=why, again_after=rest)

    async def _read_prices(self) -> None:
        """They are compared with mark prices of what is open."""
        asked = self._now()
        if not self.picture.is_open():
            return
        self.picture.market.prices = dict(await self.parts.market.last_prices())
        self.picture.market.prices_at_ms = asked.at_ms

    async def _read_clock(self) -> None:
        skew = await self.parts.market.clock_skew_ms()
        self.picture.market.skew_ms, self.picture.market.skew_at_ms = skew, self._now().at_ms

    async def _read_rules(self) -> None:
        symbols = sorted({symbol for symbol, _ in self.picture.positions.open()} | set(self.hands.rules))
        self.hands.rules.update(await self.parts.market.rules(symbols))

    def _holdings_pause(self) -> float:
        is_followed = not self.picture.is_open() or self.picture.is_followed(self._now())
        return HOLDINGS_SECONDS if is_followed else UNFOLLOWED_SECONDS

    def _prices_pause(self) -> float:
        """At once where something is open for which there are none."""
        asked_at_ms = self.picture.market.prices_at_ms
        is_old = asked_at_ms is None or self._now().at_ms - asked_at_ms >= PRICES_SECONDS * 1000
        return 0.0 if is_old and self.picture.is_open() else PRICES_SECONDS

    def _statement_pause(self) -> float:
        return UNEXPLAINED_SECONDS if self.picture.money.wants_statement(self._now()) else STATEMENT_SECONDS

    def _now(self) -> Moment:
        return moment(self.parts.clock)
