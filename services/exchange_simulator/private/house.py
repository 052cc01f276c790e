"""The exchange at work: one clock, one journal, one place where commands are carried out and their consequences are told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.private.journal import Journal
from services.exchange_simulator.private.keys import KeyRing
from services.exchange_simulator.private.ledger import TradingLedger
from services.exchange_simulator.private.prices import PricesAt
from services.exchange_simulator.private.user_streams import UserStreams
from services.exchange_simulator.trading.commands import AnyCommand, OpenAccount, repeat
from services.exchange_simulator.trading.exchange import Exchange

TICK_SECONDS = 0.02
_PREPARE_EVERY = 10
_AHEAD_MS = 1500


@dataclass(slots=True)
class House:
    """Whoever wants something done to an account makes a command and gives it to `do`."""

    prices: PricesAt
    clock: VenueTime
    ring: KeyRing
    journal: Journal
    ledger: TradingLedger
    streams: UserStreams
    # Called whenever something has changed, before anybody is told.
    on_change: list[Callable[[], None]] = field(default_factory=list)
    exchange: Exchange = field(init=False)

    def __post_init__(self) -> None:
        """Do again what the journal has, and open the accounts that are new. Nobody is told what was told before."""
        past = self.journal.past
        self.exchange = Exchange(self.prices, past[0].at if past else self.clock.now_ms())
        for command in past:
            self.prices.at_ms = command.at
            repeat(self.exchange, command)
        self.exchange.drain()
        past.clear()
        for plan in self.ring.plans:
            if plan.name not in self.exchange.accounts:
                opening = OpenAccount(at=self.now_ms(), account=plan.name, balances=plan.balances)
                self.do(replace(opening, hedged=plan.hedged, pays_in_bnb=plan.pays_in_bnb))

    def now_ms(self) -> int:
        """Venue time; never before what has been carried out."""
        return max(self.clock.now_ms(), self.exchange.until_ms)

    def do(self, command: AnyCommand) -> object:
        """Carry out a command; returns what came of it. Raises `VenueError` where the venue refuses."""
        self.prices.at_ms = command.at
        self.journal.add(command)
        try:
            return command.apply(self.exchange)
        finally:
            facts = msgspec.to_builtins(command)
            self.ledger.add(command.at, "command", command.account, facts)
            self._tell()

    def advance(self) -> None:
        """Tell the accounts what the market has done to them until now."""
        self.prices.at_ms = now_ms = self.now_ms()
        self.exchange.advance(now_ms)
        self._tell()

    def _tell(self) -> None:
        told = self.exchange.drain()
        if told:
            for hook in self.on_change:
                hook()
        self.streams.tell(told)

    async def run(self) -> None:
        """Follow the clock for ever."""
        turn = 0
        while True:
            if turn % _PREPARE_EVERY == 0:
                await self._prepare()
            turn += 1
            self.advance()
            if over := self.streams.keys.take_expired():
                self.streams.expire(over)
            await asyncio.sleep(TICK_SECONDS)

    async def _prepare(self) -> None:
        """Have the market of the coming seconds made in a thread, so that no order waits for a big block of it."""
        wanted = [self.prices.symbols.index(symbol) for symbol in self.exchange.concerned()]
        ahead_ms = self.now_ms() + int(_AHEAD_MS * self.clock.timer_speed)
        if wanted:
            await asyncio.to_thread(self.prices.market.prepare, ahead_ms, wanted)
