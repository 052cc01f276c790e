"""Real Kafka and PostgreSQL: the paper trader's trades are the backtester's, whatever is killed."""

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import Encoded, decode_as
from libs.contracts.topics import PAPER, SIGNAL_INDICATOR, SIGNAL_SCORED, TIMELINE
from libs.contracts.trading import PaperTradeChanged
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session, write_session
from libs.store.instants import instant
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from libs.trading.costs import Costs
from libs.trading.outcome import Outcome
from libs.trading.portfolio import PortfolioRules
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.sources.timeline import TimelineMarket
from services.paper_trader.accounts import PaperTerms
from services.paper_trader.core import PaperCore
from tests.fakes.progress import Unwatched
from tests.services.paper_trader.logs import BEGIN_MS, BY_MARK, END_MS, PartitionLog, logs, places, strategy
from tests.services.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration
FAST, SLOW = strategy("basis_fast"), strategy("basis_slow", hold_minutes=12, bracket=0.25)
# Costs that fit brackets of a few ticks, so that accounts live; none of them is nothing.
COSTS = Costs(
    taker_fee=Decimal("0.000004"),
    maker_fee=Decimal("0.000002"),
    half_spread_bps=Decimal("0.002"),
    impact_coefficient=Decimal("0.01"),
)
TERMS = {
    "PERPSTREAM_PAPER_DAILY_LOSS_R": "1000",
    "PERPSTREAM_PAPER_TAKER_FEE": "0.000004",
    "PERPSTREAM_PAPER_MAKER_FEE": "0.000002",
    "PERPSTREAM_PAPER_HALF_SPREAD_BPS": "0.002",
    "PERPSTREAM_PAPER_IMPACT_COEFFICIENT": "0.01",
    "PERPSTREAM_PAPER_SAVE_SECONDS": "0.2",
}
CLOSED = """
SELECT strategy, signal_id, entry_time, entry_price, quantity, exit_time, reason, fees, slippage, funding, net, net_r
FROM paper_trades WHERE state = 'closed' ORDER BY strategy, exit_time, signal_id
"""


@dataclass
class Stack:
    """A broker with two market partitions and the product's tables."""

    bootstrap: str
    database_url: str
    engine: AsyncEngine
    producer: EventProducer

    @property
    def environment(self) -> dict[str, str]:
        named = {"PERPSTREAM_KAFKA_BOOTSTRAP": self.bootstrap, "PERPSTREAM_DATABASE_URL": self.database_url}
        return named | {"PERPSTREAM_MARKET_PARTITIONS": "2"} | TERMS

    async def append(self, topic: str, partition: int, records: list[Record]) -> None:
        sent = [
            await self.producer.send_encoded(
                topic, Encoded(each.value or b"", list(each.headers.items())), key=each.key, partition=partition
            )
            for each in records
        ]
        await asyncio.gather(*sent)

    async def append_all(self, written: list[PartitionLog]) -> None:
        for number, log in enumerate(written):
            await self.append(SIGNAL_SCORED.name, number, log.signals)
            await self.append(TIMELINE.name, number, log.timeline)
            await self.append(SIGNAL_INDICATOR.name, number, log.evaluations)

    async def all(self, statement: str) -> list[tuple[Any, ...]]:
        async with read_session(self.engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]

    async def market_time(self) -> dt.datetime | None:
        rows = await self.all("SELECT market_time FROM paper_state")
        return rows[0][0] if rows else None

    async def closed(self) -> list[tuple[Any, ...]]:
        return await self.all(CLOSED)

    async def number(self) -> int:
        rows = await self.all("SELECT number FROM paper_state")
        return int(rows[0][0]) if rows else 0

    async def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that is kept, without when it was kept and what is still moving."""
        return [
            await self.closed(),
            await self.all(
                "SELECT trade_id, reason, history FROM paper_trades WHERE state = 'not_taken' ORDER BY trade_id"
            ),
            await self.all("SELECT strategy, balance, day_realised, market_time FROM paper_accounts ORDER BY strategy"),
            await self.all("SELECT * FROM paper_equity ORDER BY strategy, event_time"),
        ]

    async def forget(self) -> None:
        async with write_session(self.engine) as session:
            for table in ("paper_trades", "paper_accounts", "paper_equity", "paper_state"):
                await session.raw.execute(f"DELETE FROM {table}")

    async def told(self) -> list[PaperTradeChanged]:
        async with LogReader(self.bootstrap) as log:
            end = await log.end(PAPER.name, 0)
            found = [record async for batch in log.range(PAPER.name, 0, 0, end) for record in batch]
        return [decode_as(PaperTradeChanged, record.value) for record in found]


@pytest.fixture
async def stack(empty_kafka: str, database_url: str) -> AsyncIterator[Stack]:
    await ensure_topics(empty_kafka, 2)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    yield Stack(empty_kafka, database_url, engine, producer)
    await producer.stop()
    await engine.dispose()


@pytest.fixture
def trader(stack: Stack, tmp_path: Path) -> Iterator[ServiceProcess]:
    process = ServiceProcess("paper_trader", stack.environment, tmp_path / "paper_trader.log")
    yield process
    if process.running:
        process.kill()


def end_of(written: list[PartitionLog]) -> dt.datetime:
    """How far the accounts can come in these logs: found by the core, which `test_core` tests."""
    core = PaperCore.new(PaperTerms(), range(len(written)), 0)
    for number, log in enumerate(written):
        core.take_timeline(number, log.timeline)
        core.take_evaluations(number, log.evaluations)
    core.advance()
    return instant(core.now_ms)


async def read_to(stack: Stack, end: dt.datetime) -> None:
    async def there() -> bool:
        return await stack.market_time() == end

    await eventually(there, 180, lambda: f"the accounts are not at {end}")


async def backtest(stack: Stack, begin: dt.datetime, end: dt.datetime) -> list[Outcome]:
    request = BacktestRequest(
        source="timeline",
        start=begin,
        end=end,
        warm_up_hours=1,
        allow_gaps=True,
        costs=COSTS,
        rules=PortfolioRules(daily_loss_r=Decimal(1000)),
    )
    result = await Run(request, TimelineMarket(stack.bootstrap), Unwatched()).run()
    return [outcome for outcome in result.outcomes if outcome.exit_reason != "data_end"]


def row_of(outcome: Outcome) -> tuple[Any, ...]:
    return (
        outcome.strategy,
        outcome.signal_id,
        instant(outcome.entry.time_ms),
        outcome.entry.price,
        outcome.entry.quantity,
        instant(outcome.exit_time_ms),
        outcome.exit_reason,
        outcome.fees,
        outcome.slippage,
        outcome.funding,
        outcome.net,
        outcome.net_r,
    )


@pytest.mark.parametrize("by_mark", [False, True], ids=["last", "mark"])
async def test_paper_trades_are_those_of_a_backtest(stack: Stack, trader: ServiceProcess, by_mark: bool) -> None:
    written = logs(1, strategies=BY_MARK[1:] if by_mark else (SLOW,))
    await stack.append_all(written)
    trader.start()
    end = end_of(written)
    await read_to(stack, end)
    assert trader.stop() == 0
    found = await stack.closed()
    begin = (await stack.all("SELECT min(event_time) FROM paper_equity"))[0][0]
    expected = sorted(map(row_of, await backtest(stack, begin, end)), key=lambda row: (row[0], row[5], row[1]))
    assert len(found) > 30
    assert any(row[9] for row in found), "no trade paid funding"
    assert any("stop" in row[6] for row in found), "no trade was stopped"
    assert found == expected
    told = await stack.told()
    assert {event.signal_id for event in told if event.state == "closed"} == {row[1] for row in found}
    assert len({event.event_id for event in told}) == len(told)


async def test_killed_again_and_again_it_trades_as_if_nothing_had_been(stack: Stack, trader: ServiceProcess) -> None:
    written, chance = logs(1, strategies=(FAST, SLOW)), random.Random(5)
    done = [(0, 0, 0), (0, 0, 0)]
    # Pieces of market time, so that no partition falls behind the other.
    for piece, until_ms in enumerate(range(BEGIN_MS + 300_000, END_MS + 600_000, 480_000)):
        number = await stack.number()
        trader.start()
        for partition, log in enumerate(written):
            ends, begins = places(log, until_ms), done[partition]
            done[partition] = ends
            await stack.append(SIGNAL_SCORED.name, partition, log.signals[begins[1] : ends[1]])
            await stack.append(TIMELINE.name, partition, log.timeline[begins[0] : ends[0]])
            await stack.append(SIGNAL_INDICATOR.name, partition, log.evaluations[begins[2] : ends[2]])

        async def moved(number: int = number) -> bool:
            return await stack.number() > number

        if piece % 2:  # now and then it dies before it has kept anything
            await eventually(moved, 180, trader.log.read_text)
        await asyncio.sleep(chance.random() * 2)
        trader.kill()
    assert done == [(len(log.timeline), len(log.signals), len(log.evaluations)) for log in written]
    end_ms = end_of(written)
    trader.start()
    await read_to(stack, end_ms)
    trader.kill()  # it may have had nothing left to do, and still be starting
    broken, told = await stack.everything(), await stack.told()
    await stack.forget()
    trader.start()
    await read_to(stack, end_ms)
    assert trader.stop() == 0
    assert await stack.everything() == broken
    assert len(broken[0]) > 20
    again = await stack.told()
    assert {event.event_id: event for event in again} == {event.event_id: event for event in told}


async def test_a_stale_database_is_brought_up_to_date(stack: Stack, trader: ServiceProcess) -> None:
    written = logs(1, strategies=(FAST,))
    cuts = [places(log, BEGIN_MS + 1_500_000) for log in written]
    half = [
        PartitionLog(log.timeline[: cut[0]], log.signals, log.evaluations[: cut[2]])
        for log, cut in zip(written, cuts, strict=True)
    ]
    for number, log in enumerate(half):
        await stack.append(SIGNAL_SCORED.name, number, log.signals)
        await stack.append(TIMELINE.name, number, log.timeline)
        await stack.append(SIGNAL_INDICATOR.name, number, log.evaluations)
    trader.start()
    await read_to(stack, end_of(half))
    assert trader.stop() == 0
    for number, (log, part) in enumerate(zip(written, half, strict=True)):
        await stack.append(TIMELINE.name, number, log.timeline[len(part.timeline) :])
        await stack.append(SIGNAL_INDICATOR.name, number, log.evaluations[len(part.evaluations) :])
    end = end_of(written)
    trader.start()
    await read_to(stack, end)
    assert trader.stop() == 0
    found = await stack.everything()
    await stack.forget()
    trader.start()
    await read_to(stack, end)
    assert trader.stop() == 0
    assert await stack.everything() == found


async def test_of_two_paper_traders_one_leaves(stack: Stack, trader: ServiceProcess, tmp_path: Path) -> None:
    written = logs(1, strategies=(FAST,))
    other = ServiceProcess("paper_trader", stack.environment, tmp_path / "other.log")
    trader.start()
    other.start()
    try:
        await stack.append_all(written)
        async with asyncio.timeout(180):
            while trader.running and other.running:  # noqa: ASYNC110 - they are other processes
                await asyncio.sleep(0.05)
        left = trader if not trader.running else other
        assert left.wait(1) == 70
        assert "another paper trader" in left.log.read_text()
        await read_to(stack, end_of(written))
    finally:
        for process in (trader, other):
            if process.running:
                process.kill()
