"""One run's world: clock, market, exchange and bus, and the programs that live in it and are started again when they end."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from libs.trading.execution.books import LeaseLost
from libs.trading.execution.document import Trade
from tests.chaos.money.bus import Bus
from tests.chaos.money.exchange import Exchange
from tests.chaos.money.market import JumpyMarket
from tests.chaos.money.plan import Blow, Plan, Role
from tests.chaos.money.processes import Process
from tests.chaos.money.trace import Trace
from tests.chaos.money.virtual_time import VirtualClock

SIGNALS, RISK, EXECUTOR, TRADES, COMMANDS = "signals", "risk", "executor", "trades", "commands"


@dataclass
class World:
    """What every program finds. `database_away`: nobody reaches the books."""

    plan: Plan
    clock: VirtualClock
    market: JumpyMarket
    exchange: Exchange
    bus: Bus
    trace: Trace
    database_away: bool = False

    def chance(self, name: str) -> random.Random:
        """A source of its own for whoever needs one."""
        return random.Random(f"{self.plan.seed}/{name}")


class Party(Protocol):
    """Whose code is run: what its processes are, what they have written down, and whether one could protect a position now."""

    def program(self, world: World, role: Role, process: Process) -> Coroutine[Any, Any, object]:
        """The main coroutine of a process of that role."""
        ...

    def documents(self) -> Mapping[str, Trade]:
        """The trades by id, as the books have them."""
        ...

    def is_able(self, role: Role, process: Process) -> bool:
        """Whether this process, which works, may send orders now."""
        ...

    def protects_strangers(self, world: World, role: Role) -> bool:
        """Whether a position that no trade of ours has opened is its to protect, by what the account's owner has said."""
        ...


@dataclass
class Keeper:
    """Starts a role's process again whenever it has ended, a moment later. `crashes`: how it ended by itself, which
    only somebody else's lease is a reason for."""

    world: World
    party: Party
    role: Role
    process: Process
    crashes: list[str] = field(default_factory=list)
    number: int = 1

    async def run(self) -> None:
        """For ever."""
        chance = self.world.chance(f"{self.role}/restarts")
        while True:
            self.process.start(lambda process=self.process: self.party.program(self.world, self.role, process))  # type: ignore[misc]
            self.world.trace.tell(self.process.name, "== starts")
            main = self.process.main
            assert main is not None, "it was started"
            await asyncio.wait([main])
            self._note(main)
            self.process.kill()
            await asyncio.sleep(chance.choice((0.2, 1.0, 3.0)))
            self.number += 1
            self.process = Process(f"{self.role}/{self.number}")

    def _note(self, main: "asyncio.Task[Any]") -> None:
        killed = not self.process.alive
        causes = [] if main.cancelled() else _causes(main.exception())
        how = "killed" if killed else f"ended: {causes}"
        self.world.trace.tell(self.process.name, f"== {how} after {self.process.steps} awaits")
        if not killed and not all(isinstance(cause, LeaseLost) for cause in causes):
            self.crashes.append(f"{self.process.name} {how}")


def _causes(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [cause for one in error.exceptions for cause in _causes(one)]
    return [] if error is None else [error]


def keeper(world: World, party: Party, role: Role) -> Keeper:
    """Of a role's first process."""
    return Keeper(world, party, role, Process(f"{role}/1"))


@dataclass
class Blows:
    """Does to our processes what the plan says."""

    world: World
    keepers: Mapping[Role, Keeper]
    start_second: Callable[[], None]

    async def run(self, start_ms: int) -> None:
        """To the last blow; what lasts ends by itself."""
        for blow in self.world.plan.blows:
            await asyncio.sleep(max(0, start_ms + blow.at_ms - self.world.clock.now_ms()) / 1000)
            self._strike(blow)

    def _strike(self, blow: Blow) -> None:
        self.world.trace.tell("blow", str(blow))
        loop = asyncio.get_running_loop()
        process = self.keepers[blow.role].process
        seconds = blow.for_ms / 1000
        match blow.kind:
            case "kill":
                process.dies_at = process.steps + blow.awaits
            case "stop":
                process.stop()
                loop.call_later(seconds, process.resume)
            case "second":
                self.start_second()
            case "database":
                self.world.database_away = True
                loop.call_later(seconds, self._database_back)
            case "broker":
                self.world.bus.is_away = True
                loop.call_later(seconds, self.world.bus.come_back)

    def _database_back(self) -> None:
        self.world.database_away = False
