"""The exchange simulator's trading half in this process, on the virtual clock, with a way in for each of our processes."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from libs.exchanges.account import ORDER_TURN
from libs.exchanges.binance.signing import KeyedHttpClient, SignedHttpClient
from libs.exchanges.binance.trading import BinanceTrading
from libs.exchanges.binance.user_stream import BinanceUserStream
from libs.exchanges.credentials import Credentials, HmacSigner
from libs.exchanges.limiter import Limiter, Turn
from libs.exchanges.user_events import UserStreamHandler
from libs.kit.clock import VenueClock
from services.exchange_simulator.faults.answers import misbehaving
from services.exchange_simulator.faults.connections import ConnectionFaults
from services.exchange_simulator.faults.desk import FaultDesk
from services.exchange_simulator.faults.market import AlteredMarket
from services.exchange_simulator.faults.plan import AnyFault
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.private.house import House
from services.exchange_simulator.private.keys import AccountPlan, ApiKey, KeyRing
from services.exchange_simulator.private.wiring import Premises, PrivateHalf, open_private_half
from services.exchange_simulator.rest.limits import RequestLimits
from services.exchange_simulator.trading.account import Account
from tests.chaos.money.http import MemorySession, Server, Tell
from tests.chaos.money.market import JumpyMarket
from tests.chaos.money.processes import Process
from tests.chaos.money.sockets import Sockets
from tests.chaos.money.virtual_time import VirtualClock

ACCOUNT = "main"
TICK_MS = 100
_URL, _WEIGHT_LIMIT = "http://exchange", 2400
_KEY = ApiKey(key="k" * 64, secret="s" * 64)


@dataclass(eq=False)
class Exchange:
    """`changes` are called whenever something has changed for an account, before anybody is told."""

    clock: VirtualClock
    market: JumpyMarket
    seed: int
    tell: Tell
    changes: list[Callable[[], None]] = field(default_factory=list)
    desk: FaultDesk = field(init=False)
    house: House = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(f"{self.seed}/network")
        self.desk = FaultDesk(None, self.seed)
        altered = AlteredMarket(self.market, self.desk)
        self.hub = Hub(altered, self.desk)
        self.limits = RequestLimits(self.clock, _WEIGHT_LIMIT)
        plan = AccountPlan(name=ACCOUNT, balances={"USDT": Decimal(10_000)}, keys=(_KEY,))
        premises = Premises(altered, self.clock, self.hub, self.limits, self.desk)
        self.private: PrivateHalf = open_private_half(premises, KeyRing((plan,)), None)
        self.house = self.private.house
        self.house.on_change.append(self._changed)
        connections = ConnectionFaults(self.desk, self.clock, self.hub.sessions)
        self.server = Server.of(self.private.routes, misbehaving(self.desk, self.clock), chance, self.tell)
        self.sockets = Sockets(self.hub, self.clock, connections, self.server.delay, self.tell)
        self.limiter = Limiter("binance", self.clock)

    def _changed(self) -> None:
        for hook in self.changes:
            hook()

    @property
    def account(self) -> Account:
        """The account as it really is."""
        return self.house.exchange.accounts[ACCOUNT]

    def arm(self, fault: AnyFault) -> None:
        """Let a fault begin at its time."""
        self.private.meddling.check(fault)
        self.desk.add(fault, self.clock.now_ms())

    async def run(self) -> None:
        """Let the market happen: at each of its trades, and often enough for everything that has a time of its own."""
        trades = iter(self.market.times_ms())
        trade = next(trades, None)
        while True:
            now_ms = self.clock.now_ms()
            while trade is not None and trade <= now_ms:
                trade = next(trades, None)
            self.desk.tick(now_ms)
            self.hub.wire.release(now_ms)
            self.house.advance()
            if over := self.house.streams.keys.take_expired():
                self.house.streams.expire(over)
            next_ms = now_ms + TICK_MS - now_ms % TICK_MS
            await asyncio.sleep((min(next_ms, trade or next_ms) - now_ms) / 1000 + 1e-5)

    def connection(self, process: Process, turn: Turn = ORDER_TURN) -> "Line":
        """A process's own clients."""
        return Line(self, process, turn)


@dataclass(eq=False)
class Line:
    """What one process has of the venue: its account, and a user stream."""

    exchange: Exchange
    process: Process
    turn: Turn
    clock: VenueClock = field(init=False)
    account: BinanceTrading = field(init=False)

    def __post_init__(self) -> None:
        exchange = self.exchange
        self.clock = VenueClock(exchange.clock.now_ms())
        session = MemorySession(exchange.server, self.process)
        credentials = Credentials(_KEY.key, HmacSigner(_KEY.secret))
        common = (session, _URL, self.clock, exchange.limiter, credentials)
        signed = SignedHttpClient(*common)  # type: ignore[arg-type]
        self._keyed = KeyedHttpClient(*common)  # type: ignore[arg-type]
        self.account = BinanceTrading(signed, signed, self.turn)

    def user_stream(self, handler: UserStreamHandler) -> BinanceUserStream:
        """Runs until cancelled."""
        connect = self.exchange.sockets.of(self.process)
        return BinanceUserStream(self._keyed, _URL, self.clock, handler, connect)


def letters(text: str, count: int = 12) -> str:
    """A short name that follows from a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:count]
