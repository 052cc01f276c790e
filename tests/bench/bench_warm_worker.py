"""How soon a worker is ready that has to remember a full day: 4 h windows, and the sizes of 24 hours' trades for its percentiles.

python -m tests.bench.bench_warm_worker [--symbols 8] [--trades 8000000] [--rounds 5]

A timeline of a day and an hour is appended to a real broker; a worker reads all of it, ends, and leaves its state in a real
PostgreSQL. Then it is started again and again: from the process's start until every partition stands at the log's end.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.streaming.admin import ensure_topics
from tests.bench.bench_engine import PARTITIONS, Case, append, occupied, outputs, said, timeline_of
from tests.services.processes import ServiceProcess, eventually
from tests.support.servers import Broker, Database

DAY_SECONDS = 25 * 3600
FRAME = 250


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncEngine]:
    """To the database, for one question."""
    engine = create_engine(DatabaseSettings(database_url=url), connections=1)
    try:
        yield engine
    finally:
        await engine.dispose()


async def tables(url: str) -> None:
    """Make them."""
    async with connected(url) as engine:
        await migrate.upgrade(engine)


async def state_bytes(url: str) -> int:
    """All partitions' states, as the database keeps them."""
    async with connected(url) as engine, read_session(engine) as session:
        rows = await session.connection.execute(text("SELECT sum(length(state)) FROM engine_snapshots"))
        return int(rows.scalar_one())


async def filled(bootstrap: str, case: Case, worker: ServiceProcess) -> float:
    """The day is appended and read; seconds of the worker that has no state yet."""
    await ensure_topics(bootstrap, PARTITIONS, recreate=True)
    await append(bootstrap, {partition: timeline_of(case, partition) for partition in occupied(case)})
    took = await started(worker, 1)
    await outputs(bootstrap, case)
    return took


async def started(worker: ServiceProcess, lives: int) -> float:
    """Seconds from the process's start, its `lives`th, to all partitions."""
    began = time.monotonic()
    worker.start()
    await eventually(lambda: said(worker, "partition recovered", PARTITIONS * lives), 300, worker.log.read_text)
    return time.monotonic() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=8)
    parser.add_argument("--trades", type=int, default=8_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    case = Case(given.symbols, FRAME, given.trades, live=False, rate=given.trades // DAY_SECONDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "postgres").mkdir()
        broker, database = Broker(folder / "kafka"), Database(folder / "postgres")
        broker.start()
        database.start()
        url = database.create_database()
        asyncio.run(tables(url))
        where = {"PERPSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap, "PERPSTREAM_DATABASE_URL": url}
        worker = ServiceProcess("signal_engine", where, folder / "engine.log")
        try:
            cold = asyncio.run(filled(broker.bootstrap, case, worker))
            seen = []
            for number in range(given.rounds):
                worker.stop()
                seen.append(asyncio.run(started(worker, number + 2)))
            worker.stop()
            kept = asyncio.run(state_bytes(url))
        finally:
            if worker.running:
                worker.kill()
            database.stop()
            broker.stop()
    table = Table("what", "measured", title=f"{given.trades:,} trades of {given.symbols} symbols in 25 hours")
    table.add_row("from the start to all partitions, s", f"{statistics.median(seen):.2f}, at most {max(seen):.2f}")
    table.add_row("without any state, s", f"{cold:.2f}")
    table.add_row("state of all partitions, packed, MB", f"{kept / 1e6:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
