"""The guard alone, killed at any of its awaits, at a venue in trouble where strangers trade: nothing stays without a stop."""

import asyncio
import random

import pytest

from libs.exchanges.binance.trading import ORDERS_10S
from libs.exchanges.limiter import GUARD
from services.exchange_simulator.faults.plan import FAULT
from services.risk_guard.guard import Guard
from services.risk_guard.ports import GuardParts
from tests.chaos.money.exchange import ACCOUNT, Exchange
from tests.chaos.money.excuses import closes_the_venue
from tests.chaos.money.guard_ports import GuardFiles, PublicQuestions, mark_prices
from tests.chaos.money.market import SYMBOLS, JumpyMarket, Stage
from tests.chaos.money.parties import INSTALLATION, AnyKey
from tests.chaos.money.plan import venue_fault
from tests.chaos.money.processes import Process, task_of_a_process
from tests.chaos.money.protection import Protection
from tests.chaos.money.run import START_MS
from tests.chaos.money.trace import Trace
from tests.chaos.money.virtual_time import VirtualClock, run_virtually
from tests.services.risk_guard.guarding import Told

SECONDS = 60
TROUBLE_MS = 50_000


class _Alone:
    """One seed: `told` is what all its guards have said."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"{seed}/alone")
        self.seed = seed
        self.clock = VirtualClock(START_MS)
        self.trace = Trace(self.clock.now_ms, START_MS, listens=True)
        self.market = JumpyMarket(Stage(seed, START_MS, START_MS + 200_000, START_MS + 190_000))
        self.files, self.told = GuardFiles(), Told()
        self.process: Process | None = None
        self.deaths = 0

    async def main(self) -> None:
        asyncio.get_running_loop().set_task_factory(task_of_a_process)  # type: ignore[arg-type]
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        exchange = self.exchange = Exchange(self.clock, self.market, self.seed, self.trace.tell)
        self.protection = Protection(lambda: exchange.account, self._excuse)
        exchange.changes.append(lambda: self.protection.tick(exchange.house.now_ms()))
        for fields in self._strangers():
            exchange.arm(FAULT.validate_python(fields))
        for _ in range(self.chance.randint(0, 4)):
            exchange.arm(venue_fault(self.chance, START_MS + self.chance.randint(2_000, TROUBLE_MS), self.market))
        tasks = [asyncio.create_task(one) for one in (exchange.run(), self._watch(), self._guards())]
        await asyncio.sleep(SECONDS)
        for task in tasks:
            task.cancel()
        assert self.process is not None
        self.process.kill()

    def _strangers(self) -> list[dict[str, object]]:
        """Positions without a stop, some with a stop that is taken away again."""
        found: list[dict[str, object]] = []
        for symbol in SYMBOLS:
            rules, price = self.market.rules[symbol], self.market.price(symbol, START_MS)
            at_ms = START_MS + self.chance.randint(1_000, TROUBLE_MS - 10_000)
            side = self.chance.choice(("BUY", "SELL"))
            quantity = round(400 / price, rules.quantity_decimals)
            common: dict[str, object] = {"symbol": symbol}
            found.append({"kind": "outside_order", "side": side, "quantity": quantity, "at_ms": at_ms, **common})
            if self.chance.random() < 0.5:
                cancelled_ms = at_ms + self.chance.randint(4_000, 9_000)
                found.append({"kind": "outside_cancel", "at_ms": cancelled_ms, **common})
        return found

    async def _guards(self) -> None:
        while True:
            dies_at = self.chance.randint(50, 3_000) if self.deaths < 4 and self.chance.random() < 0.7 else None
            process = self.process = Process(f"guard/{self.deaths + 1}", dies_at=dies_at)
            process.start(lambda process=process: self._guard(process))  # type: ignore[misc]
            assert process.main is not None
            await asyncio.wait([process.main])
            if process.alive:
                process.main.result()
            self.deaths += 1
            await asyncio.sleep(0.5)

    async def _guard(self, process: Process) -> None:
        line, keeper = self.exchange.connection(process, GUARD), self.files.of(process)
        parts = GuardParts(
            account=ACCOUNT,
            installation=INSTALLATION,
            venue=line.account,
            market=PublicQuestions(self.exchange, process),
            keeper=keeper,
            outlet=self.told,
            clock=line.clock,
            keys=AnyKey(),
        )
        guard = Guard(parts, keeper.load())
        async with asyncio.TaskGroup() as group:
            group.create_task(guard.run())
            group.create_task(line.user_stream(guard).run())
            group.create_task(mark_prices(self.exchange, guard.on_marks))

    async def _watch(self) -> None:
        while True:
            self.protection.tick(self.clock.now_ms())
            await asyncio.sleep(0.1)

    def _excuse(self, _is_strangers: bool) -> str | None:
        if self.process is None or not self.process.works:
            return "the guard is dead"
        faults = self.exchange.desk.faults()
        if any(one.state == "active" and (closes_the_venue(one)) for one in faults):
            return "the venue takes no orders"
        if self.exchange.limiter.usage(ORDERS_10S).blocked_ms > 0:
            return "the venue has said that there were too many orders, and until when"
        return None


@pytest.mark.parametrize("seed", range(1, 25))
def test_nothing_stays_without_a_stop(seed: int) -> None:
    run = _Alone(seed)
    run_virtually(run.clock, run.main)
    words = "\n".join([str(one) for one in run.protection.findings] + run.trace.lines[-400:])
    assert run.protection.findings == [], words
    assert len(run.exchange.account.book.fills) >= 1
