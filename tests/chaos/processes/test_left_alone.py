"""Executor, broker and database are killed under two protected positions: what is left closes them, by the venue's own ledger."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.local.ports import free_port
from libs.contracts.partitioning import partition_of
from libs.contracts.signals import SignalScored
from libs.contracts.topics import SIGNAL_SCORED
from libs.exchanges.flatten_audit import waiting_audits
from libs.kit.clock import SystemClock
from libs.kit.errors import UnreachableError
from libs.streaming.producer import EventProducer
from libs.trading.execution.client_ids import Sender, read_client_id
from libs.trading.execution.config import LiveConfig
from services.risk_guard.memory import StateFile
from tests.chaos.money.market import SYMBOLS
from tests.chaos.processes.environment import ACCOUNT, environment, until_entries, write_key
from tests.chaos.processes.falling_exchange import Exchange, falling_exchange
from tests.chaos.processes.servers import PARTITIONS, Books, Servers
from tests.chaos.processes.surroundings import surroundings
from tests.services.console.running import run_console
from tests.services.executor.floor import STRATEGY
from tests.services.executor.test_processes import signal
from tests.services.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 180.0
HELD = SYMBOLS[:2]
CONFIG = LiveConfig(
    version=1, strategies=(STRATEGY,), symbols=HELD, risk_per_trade=Decimal(20), max_notional=Decimal(1_000)
)
# Two positions of some 400 USD lose 24 in a fall of 3 %; their stops stand at 5 %.
LIMITS = {"rules": {"daily_loss_usd": {"warning": 8, "breach": 16}}}
STOP, TARGETS = Decimal("0.95"), (Decimal("1.05"), Decimal("1.10"))
MARKS_SECONDS, FLAT_SECONDS = 1.0, 3.0
"""The venue tells a price each second; what is broken is flat three seconds after it is told (docs/trading.md)."""


@dataclass
class House:
    """An installation on an exchange: real processes and servers of its own."""

    folder: Path
    servers: Servers
    books: Books
    exchange: Exchange
    executor: ServiceProcess
    guard: ServiceProcess
    guard_port: int

    def said(self) -> str:
        """For whoever asks why."""
        return "\n".join(one.log.read_text(errors="replace")[-2_000:] for one in (self.executor, self.guard))

    async def enter(self, producer: EventProducer) -> None:
        """A long position in both symbols, each with its stop and targets at the venue."""
        for number, symbol in enumerate(HELD):
            given = signal_of(number, symbol, await self.exchange.price(symbol))
            partition = partition_of(symbol, PARTITIONS)
            await (await producer.send(SIGNAL_SCORED, given, key=symbol, partition=partition))

        async def protected() -> bool:
            trades = (await self.books.documents()).values()
            return sum(trade.state == "open" and trade.times.targets_ms > 0 for trade in trades) == len(HELD)

        await eventually(protected, PATIENCE_SECONDS, self.said)

    @asynccontextmanager
    async def bereft(self) -> AsyncIterator[None]:
        """kill -9 to executor, broker and database. Only the database's server is there again at the end, to be tidied up."""
        self.executor.kill()
        await asyncio.to_thread(self.servers.broker.kill)
        await asyncio.to_thread(self.servers.database.kill)
        try:
            with pytest.raises(UnreachableError):
                await self.books.documents()
            yield
            assert not self.executor.running
        finally:
            await asyncio.to_thread(self.servers.database.start)

    async def guard_says(self, metric: str) -> float:
        """The figure of one account that its process tells whoever asks."""
        async with self.exchange.http.get(f"http://127.0.0.1:{self.guard_port}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        [line] = [one for one in lines if one.startswith(metric)]
        return float(line.split()[-1])

    async def until_empty(self) -> Any:
        """Until nothing is held and nothing waits; the account then."""
        truth: Any = {}

        async def empty() -> bool:
            truth.update(await self.exchange.truth())
            return not (truth["positions"] or truth["open_orders"] or truth["open_algo_orders"])

        await eventually(empty, PATIENCE_SECONDS, lambda: f"{truth['positions']}\n{self.said()}")
        return truth


def signal_of(number: int, symbol: str, price: Decimal) -> SignalScored:
    near, far = (price * share for share in TARGETS)
    levels = {"stop_loss": price * STOP, "take_profit_1": near, "take_profit_2": far}
    return msgspec.structs.replace(signal(number, price, SystemClock().now_ms()), symbol=symbol, **levels)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """With both positions open and protected, everybody alive."""
    servers = Servers(folder / "servers")
    async with (
        servers.running(),
        servers.fresh(ACCOUNT, CONFIG) as books,
        falling_exchange(folder / "venue") as exchange,
    ):
        write_key(folder, exchange.key())
        (folder / "limits.json").write_text(json.dumps(LIMITS))
        shared = environment(folder, exchange.url, servers.broker.bootstrap, books.url)
        shared["PERPSTREAM_RISK_LIMITS"] = str(folder / "limits.json")
        ports = free_port(), free_port()
        executor, guard = (
            ServiceProcess(name, shared | {"PERPSTREAM_HEALTH_PORT": str(port)}, folder / f"{name}.log")
            for name, port in zip(("executor", "risk_guard"), ports, strict=True)
        )
        found = House(folder, servers, books, exchange, executor, guard, ports[1])
        try:
            executor.start()
            guard.start()
            async with surroundings(servers.broker.bootstrap) as producer:
                await until_entries(servers.broker.bootstrap, PATIENCE_SECONDS)
                await found.enter(producer)
            yield found
        finally:
            for process in (executor, guard):
                if process.running:
                    process.kill()


async def question_seconds(exchange: Exchange) -> float:
    """How long this machine takes now for a question and its answer."""
    began = time.monotonic()
    for _ in range(5):
        await exchange.get("/fapi/v1/time")
    return (time.monotonic() - began) / 5


def closed_by(truth: Any, sender: Sender, before: Sequence[Any]) -> dict[str, int]:
    """By symbol when the last of it was closed, having seen that this sender alone has closed all that was bought."""
    names = {one["orderId"]: read_client_id(one["clientOrderId"]) for one in truth["orders"]}
    known, ends = {one["id"] for one in before}, dict.fromkeys(HELD, 0)
    assert truth["trades"][: len(before)] == before
    for fill in truth["trades"]:
        tag = names[fill["orderId"]]
        assert tag is not None
        expected = ("executor", "entry", "BUY") if fill["id"] in known else (sender, "close", "SELL")
        assert (tag.sender, tag.leg, fill["side"]) == expected
        ends[fill["symbol"]] = max(ends[fill["symbol"]], fill["time"])
    for symbol in HELD:
        amounts = [
            Decimal(one["qty"]) * (1 if one["buyer"] else -1) for one in truth["trades"] if one["symbol"] == symbol
        ]
        assert sum(amounts) == 0
        assert any(amount < 0 for amount in amounts)
    return ends


def assert_stops_outlived(truth: Any, ends: dict[str, int]) -> None:
    """One stop a symbol was ever there; it was never triggered, and went when there was nothing left to protect."""
    stops = {one["symbol"]: one for one in truth["algo_orders"] if one["closePosition"]}
    assert len(stops) == len(HELD) == len(truth["algo_orders"])
    for symbol, stop in stops.items():
        assert stop["algoStatus"] in ("CANCELED", "EXPIRED")
        assert stop["updateTime"] >= ends[symbol]


async def test_the_guard_alone_flattens_what_loses_too_much(tmp_path: Path) -> None:
    async with house(tmp_path) as at, at.bereft():

        async def hears_nobody() -> bool:
            return await at.guard_says("perpstream_guard_entries_allowed") == 0

        await eventually(hears_nobody, PATIENCE_SECONDS, at.said)
        assert await at.guard_says("perpstream_guard_level") == 1, "a warning, and no break"
        before = (await at.exchange.truth())["trades"]
        assert len((await at.exchange.truth())["positions"]) == len(HELD), "what is dead sells nothing"
        asking = await question_seconds(at.exchange)
        fell_ms = await at.exchange.fall()
        truth = await at.until_empty()
        ends = closed_by(truth, "guard", before)
        took = (max(ends.values()) - fell_ms) / 1000
        print(f"flat {took:.2f} s after the first trade at a lower price")
        # A free machine needs a fraction of it: there is a price a second, and then some questions and answers.
        assert took < MARKS_SECONDS + FLAT_SECONDS + 40 * max(asking, await question_seconds(at.exchange))
        assert_stops_outlived(truth, ends)
        assert at.guard.running
        state = StateFile(tmp_path / "state", ACCOUNT).load().state
        assert (state.level, [one.rule for one in state.causes]) == ("circuit_break", ["daily_loss_usd"])


async def test_a_person_flattens_directly_when_the_guard_is_dead_too(tmp_path: Path) -> None:
    async with house(tmp_path) as at, at.bereft():
        at.guard.kill()
        before = (await at.exchange.truth())["trades"]
        shared = environment(tmp_path, at.exchange.url, at.servers.broker.bootstrap, at.books.url)
        words = ("risk", "flatten", "all", "--direct", "--yes", "--reason", "all dead")
        done = await asyncio.to_thread(run_console, *words, **shared)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert "flat after" in done.stdout
        truth = await at.exchange.truth()
        assert (truth["positions"], truth["open_orders"], truth["open_algo_orders"]) == ([], 0, 0)
        assert_stops_outlived(truth, closed_by(truth, "direct", before))
        [audit] = waiting_audits(tmp_path / "audit")
        assert (audit.head.reason, audit.steps[-1].kind) == ("all dead", "flat")
