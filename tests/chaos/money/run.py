"""One seed from its beginning to its verdict."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from libs.contracts.trading import ExecutorReported, RiskStateChanged
from tests.chaos.money.bus import Bus
from tests.chaos.money.exchange import TICK_MS, Exchange
from tests.chaos.money.excuses import closes_the_venue, hides_positions
from tests.chaos.money.findings import Finding
from tests.chaos.money.judge import Outcome, judge
from tests.chaos.money.market import JumpyMarket, Stage
from tests.chaos.money.people import issued
from tests.chaos.money.plan import LONGEST_MS, Plan, Role, plan_of
from tests.chaos.money.processes import Place, task_of_a_process
from tests.chaos.money.protection import Protection
from tests.chaos.money.trace import Trace
from tests.chaos.money.virtual_time import Stalled, VirtualClock, run_virtually
from tests.chaos.money.world import COMMANDS, EXECUTOR, RISK, SIGNALS, Blows, Keeper, Party, World, keeper

FUNDING_MS = 90_000
START_MS = 1_763_712_000_000 - FUNDING_MS
"""So that funding is settled at a whole hour."""


@dataclass(frozen=True, slots=True)
class Await:
    """Where a process went on, and when."""

    at_ms: int
    place: Place


@dataclass
class Verdict:
    """`counts`: what happened in the run, so that nobody takes an empty one for a good one; `awaits`: those that the first
    process of each role has come back from, in a run that listens; `changes_ms`: when the account changed; `exits`: why trades
    were left; `words`: what tells it again, of a seed its number."""

    seed: int
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    longest_bare_ms: int = 0
    awaits: dict[Role, list[Await]] = field(default_factory=dict)
    changes_ms: list[int] = field(default_factory=list)
    exits: tuple[str | None, ...] = ()
    words: str = ""
    trace: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The words that tell it again."""
        return self.words or f"--seed {self.seed}"


Planner = Callable[[int, int, JumpyMarket], Plan]


def run_seed(seed: int, party: Callable[[], Party], *, listens: bool = False, plan: Planner = plan_of) -> Verdict:
    """Run it. `listens`: keep the trace, and where the processes waited."""
    market = JumpyMarket(stage_of(seed))
    return run_plan(plan(seed, START_MS, market), market, party, listens=listens)


def stage_of(seed: int) -> Stage:
    """When that seed's market plays."""
    return Stage(seed, START_MS, START_MS + LONGEST_MS + 60_000, START_MS + FUNDING_MS)


def run_plan(plan: Plan, market: JumpyMarket, party: Callable[[], Party], *, listens: bool = False) -> Verdict:
    """Run what is planned, on that market."""
    random.seed(plan.seed)
    clock = VirtualClock(START_MS)
    trace = Trace(clock.now_ms, START_MS, listens)
    verdict = Verdict(plan.seed, trace=trace.lines)
    run = _Run(plan, clock, market, trace, party(), verdict)
    try:
        run_virtually(clock, run.main)
    except Stalled as error:
        verdict.findings.append(Finding("stalled", str(error), clock.now_ms()))
    return verdict


@dataclass
class _Run:
    plan: Plan
    clock: VirtualClock
    market: JumpyMarket
    trace: Trace
    party: Party
    verdict: Verdict
    keepers: dict[Role, Keeper] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def main(self) -> None:
        """Start everything, wait until it is calm and everything is over, and judge."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(task_of_a_process)  # type: ignore[arg-type]
        loop.set_exception_handler(lambda _loop, _context: None)
        exchange = Exchange(self.clock, self.market, self.plan.seed, self.trace.tell)
        self.world = World(self.plan, self.clock, self.market, exchange, Bus(), self.trace)
        self.protection = Protection(lambda: exchange.account, self._excuse)
        exchange.changes.append(lambda: self.protection.tick(exchange.house.now_ms()))
        exchange.changes.append(lambda: self.verdict.changes_ms.append(self.clock.now_ms()))
        for fault in self.plan.faults:
            exchange.arm(fault)
        for role in ("executor", "guard"):
            self._start(role)
        blows = Blows(self.world, self.keepers, lambda: self._start("second"))
        for coroutine in (
            exchange.run(),
            self._watch(),
            self._give_signals(),
            self._speak(),
            blows.run(self.plan.start_ms),
        ):
            self._tasks.add(asyncio.create_task(coroutine))
        await self._until_over()
        self._judge()

    def _start(self, role: Role) -> None:
        if role not in self.keepers:
            self.keepers[role] = keeper(self.world, self.party, role)
            if self.trace.listens:
                awaits = self.verdict.awaits.setdefault(role, [])
                self.keepers[role].process.heard = lambda place: awaits.append(Await(self.clock.now_ms(), place))
            self._tasks.add(asyncio.create_task(self.keepers[role].run()))

    async def _give_signals(self) -> None:
        for given in self.plan.signals:
            await asyncio.sleep(max(0, self.plan.start_ms + given.at_ms - self.clock.now_ms()) / 1000)
            self.trace.tell("engine", f"signal {given.signal.event_id} {given.signal.direction} {given.signal.state}")
            self.world.bus.put(SIGNALS, given.signal)

    async def _speak(self) -> None:
        bus = self.world.bus
        for number, word in enumerate(self.plan.words):
            await asyncio.sleep(max(0, self.plan.start_ms + word.at_ms - self.clock.now_ms()) / 1000)
            reports = [one for one in bus.log(EXECUTOR) if isinstance(one, ExecutorReported)]
            states = [one for one in bus.log(RISK) if isinstance(one, RiskStateChanged)]
            version = reports[-1].config_version if reports else 0
            event = issued(word, self.clock.now_ms(), (number, version, states[-1].break_number if states else 0))
            self.trace.tell("somebody", f"{event.command} {event.arguments}")
            bus.put(COMMANDS, event)

    async def _watch(self) -> None:
        while True:
            self.protection.tick(self.clock.now_ms())
            await asyncio.sleep(TICK_MS / 1000)

    async def _until_over(self) -> None:
        """Calm, every signal told and every document final, twice with some seconds between; or too late."""
        last_ms = max([self.plan.calm_ms, *(given.at_ms for given in self.plan.signals)])
        await asyncio.sleep((self.plan.start_ms + last_ms - self.clock.now_ms()) / 1000 + 5)
        calm = 0
        while calm < 3 and self.clock.now_ms() < self.plan.start_ms + LONGEST_MS:
            await asyncio.sleep(4)
            calm = calm + 1 if self._is_over() else 0

    def _is_over(self) -> bool:
        documents = self.party.documents()
        return all(one in documents for one in self._emitted()) and all(one.is_final for one in documents.values())

    def _emitted(self) -> list[str]:
        return list(dict.fromkeys(one.signal.event_id for one in self.plan.signals if one.signal.state == "emitted"))

    # --- who can be blamed ------------------------------------------------------------------------------------------------

    def _excuse(self, is_strangers: bool) -> str | None:
        """Why a position without a stop is nobody's fault now. These are all excuses that there are."""
        if not any(self._able(one, is_strangers) for one in self.keepers.values()):
            return "nobody lives who may send orders for it"
        exchange = self.world.exchange
        active = [armed for armed in exchange.desk.faults() if armed.state == "active"]
        if any(closes_the_venue(armed) for armed in active):
            return "the venue takes no orders"
        # Of our own trades we know from our orders; what a stranger does must be told.
        if is_strangers and any(hides_positions(armed) for armed in active) and not exchange.hub.sessions():
            return "the venue tells nobody what is held"
        return None

    def _able(self, one: Keeper, is_strangers: bool) -> bool:
        if is_strangers and not self.party.protects_strangers(self.world, one.role):
            return False
        return one.process.works and self.party.is_able(one.role, one.process)

    # --- the end ----------------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        exchange, verdict = self.world.exchange, self.verdict
        for one in self.keepers.values():
            one.process.heard = None  # What ends with the run comes back from nothing.
        exchange.house.advance()
        documents = self.party.documents()
        verdict.findings += self.protection.findings
        verdict.findings += judge(Outcome(exchange.account, documents, self._emitted()))
        crashes = [what for one in self.keepers.values() for what in one.crashes]
        verdict.findings += [Finding("crashed", what) for what in crashes]
        verdict.longest_bare_ms = self.protection.longest_ms
        verdict.exits = tuple(trade.exit_reason for trade in documents.values())
        states = [trade.state for trade in documents.values()]
        verdict.counts = {
            "signals": len(self._emitted()),
            "entered": sum(state == "closed" for state in states),
            "fills": len(exchange.account.book.fills),
            "faults": len(self.plan.faults),
            "deaths": sum(one.number - 1 for one in self.keepers.values()),
        }
        for finding in verdict.findings:
            self.trace.tell("judge", f"{finding.kind}: {finding.what}")
