"""What our books make of fills agrees with the income statement of the simulated venue, to the cent and line by line."""

import random
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import pytest

from libs.exchanges.trading import Execution, IncomeEntry, NewOrder
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine
from libs.store.instants import instant
from libs.store.live import PostgresBooks
from libs.store.live_profit import booked_and_stated
from libs.trading.execution.books import Page, Statement, StatementLine
from libs.trading.execution.document import Fill, Times, Trade
from libs.trading.statement import compare
from tests.libs.exchanges.test_trading import desk

pytestmark = pytest.mark.integration
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def fill_of(execution: Execution) -> Fill:
    return Fill(
        trade_id=execution.trade_id,
        order_id=execution.order_id,
        client_id=str(execution.order_id),
        by="executor",
        leg=None,
        side=execution.side,
        price=execution.price,
        quantity=execution.quantity,
        fee=execution.fee,
        fee_asset=execution.fee_asset,
        fee_quote=execution.fee,
        realised=execution.realised,
        is_maker=execution.is_maker,
        time_ms=execution.time_ms,
    )


async def traded(folder: Path, seed: int) -> tuple[dict[str, Sequence[Execution]], Sequence[IncomeEntry]]:
    """Positions that are entered and left in several parts at market, long and short."""
    chance = random.Random(seed)
    async with desk(folder) as at:
        since_ms = at.clock.now_ms() - 1
        for symbol in SYMBOLS:
            for number, side in enumerate(chance.sample(["BUY", "SELL"], 2)):
                parts = [chance.randint(10, 40) for _ in range(chance.randint(1, 3))]
                out, left = "SELL" if side == "BUY" else "BUY", sum(parts)
                for part, amount in enumerate(parts):
                    name = f"in-{symbol}-{number}-{part}"
                    await at.account.place(NewOrder(symbol, side, Decimal(amount) / 1000, name))  # type: ignore[arg-type]
                while left:
                    amount = min(left, chance.randint(10, 40))
                    name = f"out-{symbol}-{number}-{left}"
                    order = NewOrder(symbol, out, Decimal(amount) / 1000, name, reduce_only=True)  # type: ignore[arg-type]
                    await at.account.place(order)
                    left -= amount
        fills: dict[str, Sequence[Execution]] = {symbol: await at.account.executions(symbol) for symbol in SYMBOLS}
        return fills, await at.account.income(since_ms, at.clock.now_ms() + 1)


def trades_of(symbol: str, executions: Sequence[Execution]) -> list[Trade]:
    """A trade from flat to flat."""
    found: list[Trade] = []
    fills: list[Fill] = []
    held = Decimal(0)
    for execution in executions:
        fills.append(fill_of(execution))
        held += execution.quantity if execution.side == "BUY" else -execution.quantity
        if held == 0:
            long = fills[0].side == "BUY"
            found.append(
                Trade(
                    trade_id=f"{symbol}-{len(found)}",
                    account="main",
                    symbol=symbol,
                    direction="long" if long else "short",
                    origin="signal",
                    state="closed",
                    fills=tuple(fills),
                    times=Times(first_fill_ms=fills[0].time_ms, flat_ms=execution.time_ms),
                )
            )
            fills = []
    assert held == 0
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_books_and_statement_agree(tmp_path: Path, database_url: str, seed: int) -> None:
    fills, income = await traded(tmp_path, seed)
    trades = [trade for symbol in SYMBOLS for trade in trades_of(symbol, fills[symbol])]
    assert len(trades) == 4
    times = [entry.time_ms for entry in income]
    statement = Statement(min(times), max(times) + 1, [StatementLine(**asdict(entry)) for entry in income])
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    books = PostgresBooks(engine, "main")
    lease = await books.acquire("one")
    assert lease is not None
    await books.write(lease, Page(trades, statement=statement))
    start, stop = instant(min(times)), instant(max(times) + 1)
    days = compare(await booked_and_stated(engine, "main", start, stop))
    assert {day.kind for day in days} == {"REALIZED_PNL", "COMMISSION", "GROSS"}
    assert [day for day in days if not day.agrees] == []
    assert sum(day.stated for day in days if day.kind == "REALIZED_PNL") == sum(
        fill.realised for symbol in SYMBOLS for fill in fills[symbol]
    )
    await engine.dispose()
