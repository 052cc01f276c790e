"""What executor and guard ask of the world beside the venue: time, prices, and a place for their events."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.event import Event
from libs.kit.clock import VenueClock
from libs.trading.execution.admission import Quote
from libs.trading.filters import SymbolFilters
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.filters import MIN_NOTIONAL, MOST_MARKET_STEPS, step_of, tick_of
from tests.chaos.money.bus import Bus
from tests.chaos.money.exchange import Exchange
from tests.chaos.money.market import SYMBOLS
from tests.chaos.money.processes import Process

HEARD_LATE_MS = 120


@dataclass(frozen=True)
class Time:
    """The venue's clock of one process; all of them know it well here."""

    venue: VenueClock
    is_known: bool = True

    @property
    def speed(self) -> float:
        return self.venue.speed

    def now_ms(self) -> int:
        return self.venue.now_ms()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def filters_of(rules: SymbolRules) -> SymbolFilters:
    """As a client reads them from exchangeInfo."""
    step = step_of(rules)
    return SymbolFilters(rules.symbol, tick_of(rules), step, step, step * MOST_MARKET_STEPS, MIN_NOTIONAL)


@dataclass(frozen=True)
class Prices:
    """The order venue's contracts, with last prices as a stream would have told them: a moment late."""

    exchange: Exchange
    quote_assets: frozenset[str] = frozenset({"USDT"})
    symbols: Sequence[str] = SYMBOLS

    def filters(self, symbol: str) -> SymbolFilters | None:
        rules = self.exchange.house.prices.rules.get(symbol)
        return filters_of(rules) if rules is not None and rules.status == "TRADING" else None

    def statuses(self) -> Mapping[str, str]:
        return {symbol: rules.status for symbol, rules in self.exchange.house.prices.rules.items()}

    def quote(self, symbol: str) -> Quote | None:
        until_ms = self.exchange.clock.now_ms() - HEARD_LATE_MS
        trades = self.exchange.house.prices.newest_trades(symbol, 1, until_ms)
        if not len(trades):
            return None
        decimals = self.exchange.house.prices.rules[symbol].price_decimals
        return Quote(Decimal(int(trades.prices[-1])).scaleb(-decimals), int(trades.event_ms[-1]))


def _nothing(_event: Event) -> None:
    """Nobody has to know."""


@dataclass
class BusOutlet:
    """Events wait for the broker in their process, and die with it."""

    bus: Bus
    process: Process
    topic_of: Callable[[Event], str | None]
    sent: Callable[[Event], None] = _nothing
    _waiting: list[tuple[str, Event]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, events: Sequence[Event]) -> None:
        self.process.check()
        for event in events:
            topic = self.topic_of(event)
            if topic is not None:
                self._waiting.append((topic, event))
        self._more.set()

    async def run(self) -> None:
        """Hand over what waits, as long as the broker takes it."""
        while True:
            await self._more.wait()
            await asyncio.sleep(0.003)
            self._more.clear()
            await self.bus.reachable()
            waiting, self._waiting = self._waiting, []
            for topic, event in waiting:
                self.bus.put(topic, event)
                self.sent(event)
