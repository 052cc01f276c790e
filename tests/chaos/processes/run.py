"""One seed with real processes, from empty servers to its verdict."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.kit.clock import SystemClock
from libs.kit.errors import UserError
from libs.trading.execution.config import ForeignPolicy, LiveConfig
from libs.trading.execution.document import Trade
from services.executor.statements import EVERY_SECONDS
from tests.chaos.money.excuses import closes_the_venue
from tests.chaos.money.findings import Finding
from tests.chaos.money.judge import Outcome, judge
from tests.chaos.money.market import SYMBOLS
from tests.chaos.money.plan import STRATEGY, Blow, Plan, Role
from tests.chaos.money.protection import Protection
from tests.chaos.money.run import Verdict
from tests.chaos.processes.environment import ACCOUNT, environment, until_entries, write_key
from tests.chaos.processes.exchange import WARM_UP_MS, account_of, begin_play, exchange, house_of, watched
from tests.chaos.processes.keeper import EXPECTED, Keeper
from tests.chaos.processes.log import FaultLog
from tests.chaos.processes.plan import LONGEST_MS, TROUBLE_MS, plan_of
from tests.chaos.processes.servers import Books, Servers
from tests.chaos.processes.surroundings import give_signals, surroundings
from tests.services.exchange_simulator.running import Running

LEAD_MS = 1_000
CALM_LOOKS, LOOK_SECONDS = 4, 3.0
"""Over is what every document says so often in a row: a late repair of the last one is waited for."""
STATEMENT_MS = int(EVERY_SECONDS * 1000) + 10_000
"""Funding that no stream has told is in the next reading of the statement."""


@dataclass
class ProcessRun:
    """What a run has: its processes, its venue, its books and its log."""

    seed: int
    servers: Servers
    folder: Path
    venue: Running
    books: Books
    log: FaultLog
    keepers: dict[Role, Keeper] = field(default_factory=dict)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def start(self, role: Role) -> None:
        """Begin to keep a role's process up; once."""
        if role not in self.keepers:
            chance = random.Random(f"{self.seed}/{role}")
            self.keepers[role] = Keeper(role, self.folder, self.environment(), self.log, chance)
            self.begin(self.keepers[role].run())

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it meanwhile."""
        self.tasks.add(asyncio.create_task(work))

    def environment(self) -> Mapping[str, str]:
        """The same installation for all of them."""
        return environment(self.folder, self.venue.url, self.servers.broker.bootstrap, self.books.url)

    def excuse(self, is_strangers: bool) -> str | None:
        """Why a position without a stop is nobody's fault now. These are all excuses that there are."""
        adopts = config_of(self.seed).foreign_policy == "adopt"
        in_charge = [one for one in self.keepers.values() if one.role == "guard" or adopts or not is_strangers]
        if not any(one.is_able for one in in_charge):
            return "nobody lives who may send orders for it"
        if any(one.state == "active" and closes_the_venue(one) for one in self.venue.simulation.desk.faults()):
            return "the venue takes no orders"
        return None

    def strike(self, blow: Blow) -> None:
        """Do what the plan says; what lasts ends by itself."""
        self.log.tell("blow", kind=blow.kind, role=blow.role, for_ms=blow.for_ms)
        keeper, seconds = self.keepers[blow.role], blow.for_ms / 1000
        match blow.kind:
            case "kill":
                keeper.kill()
            case "stop":
                self.begin(keeper.hold(seconds))
            case "second":
                self.start("second")
            case "database":
                self.begin(self.servers.lose_database(seconds))
            case "broker":
                self.begin(self.servers.lose_broker(seconds))


async def run_seed(seed: int, servers: Servers, folder: Path) -> Verdict:
    """Run it; everything that it says and does is in the folder, which exists."""
    log = FaultLog(folder / "faults.jsonl", SystemClock().now_ms())
    verdict = Verdict(seed)
    async with servers.fresh(ACCOUNT, config_of(seed)) as books, exchange(seed, folder / "venue") as (venue, market):
        write_key(folder, {"key": venue.api_key.key, "secret": venue.api_key.secret})
        run = ProcessRun(seed, servers, folder, venue, books, log)
        protection = Protection(lambda: account_of(venue), run.excuse)
        async with _processes(run), surroundings(servers.broker.bootstrap) as producer:
            await until_entries(servers.broker.bootstrap, WARM_UP_MS / 1000)
            log.start_ms = SystemClock().now_ms() + LEAD_MS
            begin_play(seed, market, venue.simulation.clock.now_ms(), log.start_ms)
            plan = plan_of(seed, log.start_ms, market)
            for fault in plan.faults:
                venue.simulation.desk.add(fault, venue.simulation.clock.now_ms())
                log.tell(
                    "armed", begins_ms=(fault.at_ms or 0) - log.start_ms, fault=fault.model_dump(exclude={"at_ms"})
                )
            async with watched(venue, protection.tick):
                async with asyncio.TaskGroup() as group:
                    group.create_task(give_signals(producer, plan, log))
                    group.create_task(_deal_blows(run, plan))
                await _until_over(run, plan)
                documents, found = await _judged(run, plan)
        verdict.findings += protection.findings + found
        verdict.longest_bare_ms = protection.longest_ms
        verdict.findings += _crashes(run)
        verdict.counts = _counts(run, plan, documents, protection)
    for trade in documents.values():
        log.tell("document", id=trade.trade_id, state=trade.state, reason=trade.reason, exit=trade.exit_reason)
    for finding in verdict.findings:
        log.tell("finding", kind=finding.kind, about=finding.what, venue_ms=finding.at_ms)
    log.tell("end", longest_bare_ms=verdict.longest_bare_ms, **verdict.counts)
    return verdict


def config_of(seed: int) -> LiveConfig:
    """What may trade; what becomes of strangers' positions is another one in each run."""
    policies: tuple[ForeignPolicy, ...] = ("pause", "ignore", "adopt")
    return LiveConfig(
        version=1,
        strategies=(STRATEGY,),
        symbols=SYMBOLS,
        risk_per_trade=Decimal(5),
        max_positions=3,
        max_notional=Decimal(5_000),
        cooldown_seconds=0,
        hold_minutes=1,
        foreign_policy=random.Random(f"{seed}/policy").choice(policies),
    )


def emitted(plan: Plan) -> list[str]:
    """Ids of the signals that have to end in a document."""
    return list(dict.fromkeys(one.signal.event_id for one in plan.signals if one.signal.state == "emitted"))


@asynccontextmanager
async def _processes(run: ProcessRun) -> AsyncIterator[None]:
    """Executor and guard, kept up until the end; then nothing of the run goes on."""
    run.start("executor")
    run.start("guard")
    try:
        yield
    finally:
        # A server that is being started again is waited for: the next run needs it.
        async with run.servers.broker_lock, run.servers.database_lock:
            for task in run.tasks:
                task.cancel()
            for task in run.tasks:
                with suppress(asyncio.CancelledError):
                    await task


async def _deal_blows(run: ProcessRun, plan: Plan) -> None:
    for blow in plan.blows:
        await asyncio.sleep(max(0, plan.start_ms + blow.at_ms - SystemClock().now_ms()) / 1000)
        run.strike(blow)


async def _until_over(run: ProcessRun, plan: Plan) -> None:
    """No trouble begins any more, every signal is told, and every document is final, some times in a row; or it is too late."""
    if plan.faults:
        await asyncio.sleep(max(0, plan.start_ms + TROUBLE_MS - SystemClock().now_ms()) / 1000)
    calm = 0
    while calm < CALM_LOOKS and SystemClock().now_ms() < plan.start_ms + LONGEST_MS:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(UserError):
            documents = await run.books.documents()
            told = all(one in documents for one in emitted(plan))
            calm = calm + 1 if told and all(one.is_final for one in documents.values()) else 0


async def _judged(run: ProcessRun, plan: Plan) -> tuple[dict[str, Trade], list[Finding]]:
    """The books and what is wrong with them; while nothing but funding is missing the statement's next reading is waited for."""
    until_ms = SystemClock().now_ms() + STATEMENT_MS
    while True:
        house_of(run.venue).advance()
        documents = await run.books.documents()
        found = judge(Outcome(account_of(run.venue), documents, emitted(plan)))
        if {one.kind for one in found} != {"funding"} or SystemClock().now_ms() > until_ms:
            return documents, found
        await asyncio.sleep(LOOK_SECONDS)


def _crashes(run: ProcessRun) -> list[Finding]:
    """A process that has ended as none should, or has told somebody its stack."""
    found = [
        Finding("crashed", f"{role} ended with exit code {code}")
        for role, keeper in run.keepers.items()
        for code in keeper.exits
        if code not in EXPECTED
    ]
    for role, keeper in run.keepers.items():
        if "Traceback (most recent call last)" in keeper.output.read_text(errors="replace"):
            found.append(Finding("crashed", f"{role} has a traceback in its log"))
    return found


def _counts(run: ProcessRun, plan: Plan, documents: Mapping[str, Trade], protection: Protection) -> dict[str, int]:
    kinds = [blow.kind for blow in plan.blows]
    return {
        "signals": len(emitted(plan)),
        "entered": sum(trade.state == "closed" for trade in documents.values()),
        "fills": len(account_of(run.venue).book.fills),
        "faults of the venue": len(plan.faults),
        **{f"blows: {kind}": kinds.count(kind) for kind in ("kill", "stop", "second", "broker", "database")},
        "starts of processes": sum(keeper.number for keeper in run.keepers.values()),
        **{f"excused ms: {why}": spent for why, spent in protection.excused_ms.items()},
    }
