"""A simulated venue, an account on it, and executors that trade it with books in memory, all in the test's own event loop."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from libs.contracts.event import Event
from libs.contracts.signals import SignalScored
from libs.contracts.trading import RiskLevel, RiskStateChanged
from libs.exchanges.account import Account, open_account
from libs.exchanges.session_group import SessionGroup
from libs.exchanges.venue import keep_clock
from libs.kit.keys import TrustedFolder
from libs.kit.settings import AccountSettings, VenueSettings
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Trade
from libs.trading.filters import SymbolFilters
from services.executor.executor import Executor
from services.executor.intake import Came
from services.executor.options import Options
from services.executor.ports import Ports
from services.executor.times import AccountTime
from services.executor.venue_market import VenueMarket
from tests.fakes.memory_books import MemoryBooks, MemoryDatabase
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import SYMBOL, Trader, trader
from tests.support.signals import HOUR_MS, emitted

ACCOUNT, STRATEGY = "main", "test_strategy"
SYMBOLS = (SYMBOL, "ETHUSDT")
CONFIG = LiveConfig(
    strategies=(STRATEGY,),
    risk_per_trade=Decimal(20),
    cooldown_seconds=0,
    signal_valid_seconds=15,
    max_price_gap_bps=Decimal(200),
)
BRISK = {"look_seconds": 0.05, "reconcile_seconds": 2.0}
E = TypeVar("E", bound=Event)


@dataclass
class Heard:
    """An outlet that keeps what it is told."""

    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        self.events += events

    def of(self, kind: type[E]) -> list[E]:
        """Those of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Executing:
    """One executor with what a process runs beside it. `guard`: what the guard says each tenth of a second; None: silence."""

    floor: "Floor"
    executor: Executor
    heard: Heard
    guard: RiskStateChanged | None
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    offset: int = 0

    def start(self, *work: Any) -> None:
        self.tasks += [asyncio.create_task(item) for item in (*work, self._guard())]

    async def _guard(self) -> None:
        while True:
            if self.guard is not None:
                now_ms = self.floor.account.clock.now_ms()
                self.executor.on_risk_state(msgspec.structs.replace(self.guard, event_time_ms=now_ms))
            await asyncio.sleep(0.1)

    async def drop(self) -> None:
        """Kill it: memory is lost, and nothing is tidied up."""
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError, BaseExceptionGroup, Exception):
                await task

    def fuse_venue(self, venue: Any) -> None:
        """Send through this one from now on."""
        for desk in self.executor.desks.values():
            desk.sender.venue = venue
        object.__setattr__(self.executor.ports, "venue", venue)

    async def ready_or_held(self) -> None:
        """Until the lease is taken, books and venue were compared, and the statement was read."""
        await until(lambda: self.executor.ready.is_set(), lambda: str(self.executor.permission.reasons()))
        if not self.executor.trades():
            await self.ready()

    async def signal_lost(self, event: SignalScored) -> None:
        """One comes to an executor that may do nothing any more: it ends, or takes up nothing any more, and sends nothing."""
        with suppress(BaseExceptionGroup, asyncio.CancelledError, TimeoutError, RuntimeError):
            await asyncio.wait_for(self.signal(event), 2.0)

    async def ready(self) -> None:
        """Until something may be entered."""
        await until(lambda: self._is_ready(), lambda: str(self.executor.permission.reasons()))

    def _is_ready(self) -> bool:
        self.check()
        quotes = all(self.executor.ports.market.quote(symbol) for symbol in self.floor.symbols)
        return self.executor.ready.is_set() and not self.executor.permission.reasons() and quotes

    def check(self) -> None:
        """What has failed is raised here."""
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def signal(self, event: SignalScored) -> None:
        """One comes."""
        self.offset += 1
        await self.executor.on_signals([(event, Came(("signals", 0), self.offset))])

    async def trade_refused(self, event: SignalScored, reason: str) -> None:
        """Once what was changed has been heard, the signal ends with this reason."""
        await until(lambda: self._objects(event.symbol) == reason, lambda: str(self.executor.permission.reasons()))
        await self.signal(event)
        trade = await self.trade(event.event_id, lambda found: True)
        assert (trade.state, trade.reason) == ("refused", reason)

    def _objects(self, symbol: str) -> str:
        """What would be said to an entry now, in one word."""
        self.check()
        return self.executor.permission.permits(symbol).why_not

    async def trade(self, trade_id: str, enough: Callable[[Trade], bool], seconds: float = 60.0) -> Trade:
        """The trade in the books, once it is so."""
        documents = self.floor.database.documents

        def is_so() -> bool:
            self.check()
            found = documents().get(trade_id)
            return found is not None and enough(found)

        await until(is_so, lambda: str(documents().get(trade_id)), seconds)
        return documents()[trade_id]


@dataclass
class Floor:
    """Everything around executors."""

    venue: Running
    account: Account
    folder: Path
    config: LiveConfig
    symbols: Sequence[str] = SYMBOLS
    database: MemoryDatabase = field(default_factory=lambda: MemoryDatabase(time.monotonic))
    executors: list[Executing] = field(default_factory=list)

    @property
    def person(self) -> Trader:
        """Somebody else with the same key."""
        return trader(self.venue)

    async def executor(self, **options: Any) -> Executing:
        """One more, begun and not waited for."""
        sessions = SessionGroup()
        market = VenueMarket(self.account, sessions)
        heard = Heard()
        await market.add(self.symbols)
        books = MemoryBooks(self.database, ACCOUNT, time.monotonic)
        books.lease_seconds = options.pop("lease_seconds", books.lease_seconds)
        ports = Ports(books, self.account.trading, heard, AccountTime(self.account.clock), market)
        installation = options.pop("installation", "installation")
        guard = options.pop("guard", risk())
        given = Options(ACCOUNT, "demo", installation, f"owner-{len(self.executors)}", **(BRISK | options))
        executor = Executor(ports, given, TrustedFolder(self.folder / "trusted"), self.config, worth=market.worth)
        found = Executing(self, executor, heard, guard)
        found.start(executor.run(), self.account.user_stream(executor).run(), sessions.run())
        self.executors.append(found)
        return found

    def price(self, symbol: str = SYMBOL) -> Decimal:
        """The newest mark price that an executor has heard."""
        quote = self.executors[-1].executor.ports.market.quote(symbol)
        assert quote is not None
        return quote.price

    def quoted(self, symbol: str) -> bool:
        """Whether a price was heard."""
        return self.executors[-1].executor.ports.market.quote(symbol) is not None

    def filters(self, symbol: str) -> SymbolFilters:
        """What the venue demands of an order, as an executor has read it."""
        filters = self.executors[-1].executor.ports.market.filters(symbol)
        assert filters is not None
        return filters

    def tick(self, symbol: str, price: Decimal) -> Decimal:
        """The price on a tick."""
        return self.filters(symbol).price_on_tick(price)

    def least(self, symbol: str, price: Decimal) -> Decimal:
        """A little more than the least that may be ordered at that price."""
        filters = self.filters(symbol)
        steps = (filters.min_notional * Decimal("1.2") / price / filters.quantity_step).to_integral_value(ROUND_UP)
        return max(filters.min_quantity, steps * filters.quantity_step)

    def signal(self, number: int = 1, **changes: Any) -> SignalScored:
        """A long signal of now, 2% to its stop, 3% and 6% to its targets."""
        price, now_ms = changes.pop("price", None) or self.price(), self.account.clock.now_ms()
        symbol, at_ms = changes.pop("symbol", SYMBOL), changes.pop("event_time_ms", now_ms)
        name = changes.pop("event_id", f"signal-{number}")
        given: dict[str, Any] = {"strategy": STRATEGY, "hold_until_ms": now_ms + HOUR_MS}
        return emitted(name, symbol, price, at_ms, **(given | changes))


def risk(level: RiskLevel = "normal", *, entries: bool = True, **more: Any) -> RiskStateChanged:
    """What a guard says."""
    given: dict[str, Any] = {
        "event_id": "risk",
        "event_time_ms": 0,
        "account": ACCOUNT,
        "level": level,
        "entries_allowed": entries,
        "reasons": () if entries else ("because",),
        "daily_pnl_r": Decimal(0),
        "heartbeat": 1,
        "break_number": 0,
        "paused": False,
        "locks": {},
        "measures": (),
    }
    return RiskStateChanged(**(given | more))


async def until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = 60.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what()}")
        await asyncio.sleep(0.01)


@asynccontextmanager
async def floor(folder: Path, config: LiveConfig = CONFIG, **more: Any) -> AsyncIterator[Floor]:
    """A venue and an account, and in the end every executor dropped."""
    async with running(folder / "venue", **({"symbols": SYMBOLS, "rate": 60.0} | more)) as venue:
        found = Grounds(venue, folder, config, more.get("symbols", SYMBOLS), float(more.get("speed") or 1.0))
        async with floor_at(found) as at:
            yield at


@dataclass(frozen=True)
class Grounds:
    """A venue that runs already, and the folder of whoever trades there."""

    venue: Running
    folder: Path
    config: LiveConfig
    symbols: Sequence[str] = SYMBOLS
    speed: float = 1.0


@asynccontextmanager
async def floor_at(given: Grounds, database: MemoryDatabase | None = None) -> AsyncIterator[Floor]:
    """The same at a venue that is there; `database`: the books of an earlier floor."""
    venue, folder = given.venue, given.folder
    home = folder / "accounts" / ACCOUNT
    home.mkdir(parents=True, exist_ok=True)
    key = home / "key.json"
    key.write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
    key.chmod(0o600)
    account = AccountSettings(
        execution_mode="demo",
        account=ACCOUNT,
        account_dir=folder / "accounts",
        order_rest_url=venue.url,
        order_websocket_url=venue.url.replace("http", "ws", 1),
        order_spot_rest_url=venue.url,
    )
    where = VenueSettings(requests_dir=folder / "requests", venue_speed=given.speed)
    async with open_account(account, where) as opened:
        found = Floor(venue, opened, folder, given.config, given.symbols)
        found.database = database or found.database
        clock = asyncio.create_task(keep_clock(opened))
        try:
            yield found
        finally:
            for each in found.executors:
                await each.drop()
            clock.cancel()
            with suppress(asyncio.CancelledError):
                await clock
