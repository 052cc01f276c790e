"""The real executor and the real guard in this world: their ports, their restarts, and what they have written down."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from libs.contracts.commands import CommandIssued
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged
from libs.contracts.trading import ExecutorReported, LiveTradeChanged, RiskStateChanged
from libs.exchanges.limiter import GUARD
from libs.trading.execution.config import ForeignPolicy, LiveConfig
from libs.trading.execution.document import Trade
from services.executor.executor import Executor
from services.executor.intake import Came
from services.executor.options import Options
from services.executor.ports import Ports
from services.risk_guard.guard import Guard
from services.risk_guard.ports import GuardParts
from tests.chaos.money.exchange import ACCOUNT
from tests.chaos.money.guard_ports import GuardFiles, PublicQuestions, mark_prices
from tests.chaos.money.market import SYMBOLS
from tests.chaos.money.plan import STRATEGY, Role
from tests.chaos.money.ports import BusOutlet, Prices, Time
from tests.chaos.money.processes import Process
from tests.chaos.money.remote_books import RemoteBooks
from tests.chaos.money.world import COMMANDS, EXECUTOR, RISK, SIGNALS, TRADES, World
from tests.fakes.memory_books import MemoryBooks, MemoryDatabase

INSTALLATION = "here"
PLACE, WORDS_PLACE = ("signals of this run", 0), ("commands of this run", 0)


class AnyKey:
    """Whoever signs is trusted: what signatures are worth is tested elsewhere."""

    def problem(self, name: str, payload: bytes, signature: str) -> None:
        return None


def config_of(world: World) -> LiveConfig:
    """What may trade; what becomes of strangers' positions is another one in each run."""
    policies: tuple[ForeignPolicy, ...] = ("pause", "ignore", "adopt")
    policy = world.plan.policy if world.plan.policy is not None else world.chance("policy").choice(policies)
    return LiveConfig(
        version=1,
        strategies=(STRATEGY,),
        symbols=SYMBOLS,
        risk_per_trade=Decimal(5),
        max_positions=3,
        max_notional=Decimal(5_000),
        cooldown_seconds=2,
        hold_minutes=1,
        foreign_policy=policy,
    )


@dataclass
class RealParty:
    """`database`: what all executors of the account share."""

    database: MemoryDatabase | None = None
    ways: dict[str, RemoteBooks] = field(default_factory=dict)
    guard_files: GuardFiles = field(default_factory=GuardFiles)

    def program(self, world: World, role: Role, process: Process) -> Coroutine[Any, Any, object]:
        if self.database is None:
            self.database = MemoryDatabase(lambda: world.clock.seconds)
        return self._guard(world, process) if role == "guard" else self._executor(world, process)

    def documents(self) -> Mapping[str, Trade]:
        return {} if self.database is None else self.database.documents()

    def is_able(self, role: Role, process: Process) -> bool:
        """An executor without the lease has to wait for the one before it, and one whose books cannot be written may send
        nothing: what is not written down is not sent. Then it is the guard who has to act."""
        way = self.ways.get(process.name)
        if role == "guard":
            return True
        return (
            way is not None
            and not way.is_away()
            and way.lease is not None
            and way.lease.until > asyncio.get_running_loop().time()
        )

    def protects_strangers(self, world: World, role: Role) -> bool:
        """Told to pause or to ignore, the executor leaves alone what is not its own; the guard never does."""
        return role == "guard" or config_of(world).foreign_policy == "adopt"

    # --- executor ---------------------------------------------------------------------------------------------------------

    async def _executor(self, world: World, process: Process) -> None:
        assert self.database is not None, "made before anything runs"
        line, clock = world.exchange.connection(process), world.clock
        books = MemoryBooks(self.database, ACCOUNT, lambda: clock.seconds)
        way = RemoteBooks(books, process, lambda: world.database_away, world.chance(f"{process.name}/books"))
        self.ways[process.name] = way
        outlet = BusOutlet(world.bus, process, _executor_topic)
        ports = Ports(way, line.account, outlet, Time(line.clock), Prices(world.exchange))
        options = Options(ACCOUNT, "demo", INSTALLATION, process.name)
        executor = Executor(ports, options, AnyKey(), config_of(world))
        async with asyncio.TaskGroup() as group:
            group.create_task(executor.run())
            group.create_task(outlet.run())
            group.create_task(line.user_stream(executor).run())
            group.create_task(_risk(world, executor))
            group.create_task(_signals(world, executor))
            group.create_task(_commands(world, executor))

    # --- guard ------------------------------------------------------------------------------------------------------------

    async def _guard(self, world: World, process: Process) -> None:
        line = world.exchange.connection(process, GUARD)
        outlet = BusOutlet(world.bus, process, _guard_topic)
        keeper = self.guard_files.of(process)
        parts = GuardParts(
            account=ACCOUNT,
            installation=INSTALLATION,
            venue=line.account,
            market=PublicQuestions(world.exchange, process),
            keeper=keeper,
            outlet=outlet,
            clock=line.clock,
            keys=AnyKey(),
        )
        guard = Guard(parts, keeper.load())
        outlet.sent = guard.on_sent
        async with asyncio.TaskGroup() as group:
            group.create_task(guard.run())
            group.create_task(outlet.run())
            group.create_task(line.user_stream(guard).run())
            group.create_task(mark_prices(world.exchange, guard.on_marks))
            group.create_task(_reports(world, guard))
            group.create_task(_trades(world, guard))
            group.create_task(_words(world, guard))
            group.create_task(_surroundings(world, guard))


def _guard_topic(event: Event) -> str | None:
    return RISK if isinstance(event, RiskStateChanged) else "others"


async def _reports(world: World, guard: Guard) -> None:
    offset = max(0, len(world.bus.log(EXECUTOR)) - 20)
    while True:
        for event in await world.bus.after(EXECUTOR, offset):
            offset += 1
            if isinstance(event, ExecutorReported):
                guard.on_executor(event)


async def _trades(world: World, guard: Guard) -> None:
    offset = guard.memory.offsets.get(TRADES, 0)
    while True:
        for event in await world.bus.after(TRADES, offset):
            offset += 1
            if isinstance(event, LiveTradeChanged):
                guard.on_trade(event, (TRADES, offset))


async def _words(world: World, guard: Guard) -> None:
    offset = guard.memory.offsets.get(COMMANDS, 0)
    while True:
        for event in await world.bus.after(COMMANDS, offset):
            offset += 1
            if isinstance(event, CommandIssued):
                guard.on_command(event, (COMMANDS, offset))


async def _surroundings(world: World, guard: Guard) -> None:
    """Engine and market feeds work all the time in these runs; they are heard where the broker is."""
    while True:
        await world.bus.reachable()
        guard.on_engine()
        now_ms = world.clock.now_ms()
        for symbol in SYMBOLS:
            feed = FeedStatusChanged(
                event_id=f"{symbol}-{now_ms}",
                event_time_ms=now_ms,
                feed="trades",
                symbol=symbol,
                state="live",
                detail="",
                last_event_time_ms=now_ms,
                completeness_1h_ppm=1_000_000,
            )
            guard.on_feed(feed)
        await asyncio.sleep(1)


def _executor_topic(event: Event) -> str | None:
    if isinstance(event, ExecutorReported):
        return EXECUTOR
    return TRADES if isinstance(event, LiveTradeChanged) else None


async def _signals(world: World, executor: Executor) -> None:
    """From where the books say that reading goes on."""
    await executor.ready.wait()
    offset = executor.offsets.get(PLACE, 0)
    while True:
        records = []
        for event in await world.bus.after(SIGNALS, offset):
            offset += 1
            records.append((event, Came(PLACE, offset)))
        await executor.on_signals(records)


async def _commands(world: World, executor: Executor) -> None:
    await executor.ready.wait()
    offset = executor.offsets.get(WORDS_PLACE, 0)
    while True:
        records = []
        for event in await world.bus.after(COMMANDS, offset):
            offset += 1
            records.append((event, Came(WORDS_PLACE, offset)))
        await executor.on_commands(records)


async def _risk(world: World, executor: Executor) -> None:
    offset = max(0, len(world.bus.log(RISK)) - 1)
    while True:
        for event in await world.bus.after(RISK, offset):
            offset += 1
            if isinstance(event, RiskStateChanged):
                executor.on_risk_state(event)
