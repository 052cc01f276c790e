"""Flattening under trouble: whatever the venue does, and wherever its process dies, "flat" is said of a flat account only."""

import asyncio
import random

import pytest

from libs.exchanges.flatten import FlattenTerms, flatten_directly
from libs.exchanges.flatten_orders import FlattenIds, FlattenStep
from services.exchange_simulator.faults.plan import FAULT
from tests.chaos.money.exchange import Exchange
from tests.chaos.money.market import SYMBOLS, JumpyMarket, Stage
from tests.chaos.money.plan import venue_fault
from tests.chaos.money.processes import Process, task_of_a_process
from tests.chaos.money.run import START_MS
from tests.chaos.money.trace import Trace
from tests.chaos.money.virtual_time import VirtualClock, run_virtually

TROUBLE_MS, LONGEST_SECONDS = 25_000, 120.0


class _Flattening:
    """One account with positions, orders and stops, and a process that has to end all of them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = VirtualClock(START_MS)
        self.trace = Trace(self.clock.now_ms, START_MS, listens=True)
        self.market = JumpyMarket(Stage(seed, START_MS, START_MS + 300_000, START_MS + 200_000))
        self.seed = seed
        self.done = False
        self.left: list[object] = []

    async def main(self) -> None:
        asyncio.get_running_loop().set_task_factory(task_of_a_process)  # type: ignore[arg-type]
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        exchange = self.exchange = Exchange(self.clock, self.market, self.seed, self.trace.tell)
        for fault in self._holdings():
            exchange.arm(FAULT.validate_python(fault))
        if self.chance.random() < 0.4:
            exchange.arm(FAULT.validate_python({"kind": "stale_reads", "by_ms": 2_000, "for_ms": 20_000}))
        for _ in range(self.chance.randint(0, 5)):
            exchange.arm(venue_fault(self.chance, START_MS + self.chance.randint(3_000, TROUBLE_MS), self.market))
        pump = asyncio.create_task(exchange.run())
        await asyncio.sleep(3)
        async with asyncio.timeout(LONGEST_SECONDS):
            number = 0
            while not self.done:
                number += 1
                dies_at = self.chance.randint(1, 120) if number < 4 and self.chance.random() < 0.6 else None
                process = Process(f"flatten/{number}", dies_at=dies_at)
                process.start(lambda process=process: self._flatten(process))  # type: ignore[misc]
                assert process.main is not None
                await asyncio.wait([process.main])
                await asyncio.sleep(0.5)
        pump.cancel()

    def _holdings(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for symbol in SYMBOLS:
            rules, price = self.market.rules[symbol], self.market.price(symbol, START_MS)
            side, back = self.chance.choice((("BUY", "SELL"), ("SELL", "BUY")))
            near, far = ("0.99", "0.97") if side == "BUY" else ("1.01", "1.03")
            triggers = [round(price * type(price)(share), rules.price_decimals - 2) for share in (near, far)]
            quantity = round(500 / price, rules.quantity_decimals)
            at_ms = START_MS + self.chance.randint(500, 2_990)
            common = {"symbol": symbol, "at_ms": at_ms}
            found.append({"kind": "outside_order", "side": side, "quantity": quantity, **common})
            found.append({"kind": "outside_order", "side": side, "quantity": quantity, "price": triggers[1], **common})
            found.append(
                {
                    "kind": "outside_stop",
                    "side": back,
                    "trigger_price": triggers[0],
                    **common,
                    "at_ms": START_MS + 1_500,
                }
            )
        return found

    async def _flatten(self, process: Process) -> None:
        line = self.exchange.connection(process)
        ids = FlattenIds("main", "here", process.name)

        def audit(step: FlattenStep) -> None:
            self.trace.tell(process.name, f"== {step.kind} {step.symbol} {step.client_id} {step.quantity} {step.words}")

        found = await flatten_directly(line.account, None, audit, FlattenTerms(ids, line.clock))
        if found.flat:
            self.done = True
            book = self.exchange.account.book
            self.left = [*self.exchange.account.held(), *book.open_orders(), *book.open_algos()]


@pytest.mark.parametrize("seed", range(1, 16))
def test_an_account_is_flat_when_it_is_said_to_be(seed: int) -> None:
    run = _Flattening(seed)
    run_virtually(run.clock, run.main)
    assert run.left == [], "\n".join(run.trace.lines)
    assert len(run.exchange.account.book.fills) >= 2 * len(SYMBOLS)
