"""What it costs to keep bars beside the trades: rows a second and processor time a row, with and without them (a table)."""

import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from libs.kit.settings import DatabaseSettings
from libs.store import migrate, trades
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine, create_engine, write_session
from libs.store.partitions import create_partitions, months_between
from libs.store.trade_bars import add_to_bars
from tests.support.servers import Database

BEGAN_MS = 1_723_075_200_000
ROUNDS, BATCHES = 3, 10
SHAPES = ((4, 5_000), (4, 20_000), (400, 5_000), (400, 20_000))


@dataclass(slots=True)
class Spent:
    """Seconds of wall time, and processor time of us and of the server."""

    wall: float = 0.0
    own: float = 0.0
    server: float = 0.0


def batch(symbols: int, rows: int, number: int, prefix: str) -> list[SymbolTrades]:
    """Rows of all symbols over half a second, as a busy market has them."""
    each = rows // symbols
    ids = np.arange(number * each + 1, (number + 1) * each + 1, dtype=np.int64)
    times = BEGAN_MS + number * 500 + np.linspace(0, 499, each).astype(np.int64)
    return [
        SymbolTrades(
            symbol=f"{prefix}{code}USDT",
            price_decimals=2,
            quantity_decimals=3,
            agg_id=ids,
            price=6_000_000 + ids % 997,
            quantity=1 + ids % 101,
            first_trade_id=ids * 2,
            last_trade_id=ids * 2 + 1,
            trade_time=times,
            time=times,
            buyer_is_maker=(ids % 2).astype(np.uint8),
        )
        for code in range(symbols)
    ]


async def without(_: object, __: object) -> None:
    """No bars."""


async def write(engine: Engine, shape: tuple[int, int], prefix: str) -> None:
    """Batch after batch, each in a transaction of its own."""
    for number in range(BATCHES):
        async with write_session(engine) as session:
            await trades.write_trades(session, batch(*shape, number, prefix))


def processor_seconds(pid: int) -> float:
    """Of a process and its living children."""
    process, total = psutil.Process(pid), 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


async def measure(database: Database, url: str) -> None:
    """Both ways in turns, so that what else the machine does meets both."""
    engine = create_engine(DatabaseSettings(database_url=url), connections=1)
    await migrate.upgrade(engine)
    async with write_session(engine) as session:
        await create_partitions(session, months_between(BEGAN_MS, BEGAN_MS))
    for shape in SHAPES:
        spent = {"without": Spent(), "with": Spent()}
        for turn in range(ROUNDS):
            for name, way in (("without", without), ("with", add_to_bars)):
                setattr(trades, "add_to_bars", way)  # noqa: B010 - what write_trades calls
                began = time.perf_counter(), time.process_time(), processor_seconds(database.pid)
                await write(engine, shape, f"{name.upper()}{shape[0]}X{shape[1]}T{turn}S")
                one = spent[name]
                one.wall += time.perf_counter() - began[0]
                one.own += time.process_time() - began[1]
                one.server += processor_seconds(database.pid) - began[2]
        rows = ROUNDS * BATCHES * (shape[1] // shape[0]) * shape[0]
        for name, one in spent.items():
            print(
                f"{shape[0]:4d} symbols, batches of {shape[1]:6,d}, {name:>7s} bars: {rows / one.wall:10,.0f} rows/s;"
                f" processor time a row: ours {one.own / rows * 1e6:.2f} µs, PostgreSQL {one.server / rows * 1e6:.2f} µs"
            )
            sys.stdout.flush()
    await engine.dispose()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        database = Database(Path(folder) / "postgres")
        database.start()
        try:
            asyncio.run(measure(database, database.create_database()))
        finally:
            database.stop()


if __name__ == "__main__":
    main()
