"""How many trades a second one recorder takes from the timeline into PostgreSQL, from process start to the last row (a table)."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import Encoded, encode
from libs.contracts.timeline import TimelineFenced
from libs.contracts.topics import AGGTRADE, TIMELINE
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from tests.bench.frames import market, symbols_of
from tests.services.processes import ServiceProcess
from tests.support.servers import Broker, Database

PARTITIONS = 4
_TOTAL = text("SELECT coalesce(sum(row_count), 0) FROM agg_trades_meta")


async def fill(bootstrap: str, symbols: int, frames: int, size: int) -> int:
    """A timeline as its sequencer writes it; returns the trades in it."""
    await ensure_topics(bootstrap, PARTITIONS, recreate=True)
    producer, trades = EventProducer(bootstrap, service="bench"), 0
    await producer.start()
    for partition in range(PARTITIONS):
        names = symbols_of(symbols, partition, PARTITIONS)
        fence = TimelineFenced(
            event_id=f"fence:{partition}", event_time_ms=0, partition=partition, epoch=1, owner="bench"
        )
        await producer.send(TIMELINE, fence, key=str(partition), partition=partition)
        shape = (frames // PARTITIONS, size)
        for offset, frame in enumerate(market(names, partition, shape, 5000) if names else ()):
            made = encode(frame)
            headers = [
                *made.headers,
                ("source", f"{AGGTRADE.name}:{partition}:{offset}".encode()),
                ("owner-epoch", b"1"),
                ("effective-at", b"-1"),
            ]
            await producer.send_encoded(TIMELINE.name, Encoded(made.value, headers), key=None, partition=partition)
            trades += size
    await producer.stop(60)
    return trades


async def written(engine: AsyncEngine) -> int:
    """Rows committed so far."""
    async with read_session(engine) as session:
        return int((await session.connection.execute(_TOTAL)).scalar_one())


def processor_seconds(pid: int) -> float:
    """Processor time of a process and its living children so far."""
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


async def drained(engine: AsyncEngine, trades: int) -> float:
    """Trades a second from the first committed batch to the last."""
    first = at = 0.0
    while True:
        done, now = await written(engine), time.perf_counter()
        if not first and done:
            first, at = now, done
        if done >= trades:
            return (done - at) / (now - first)
        await asyncio.sleep(0.02)


async def prepare(url: str) -> AsyncEngine:
    """An engine on the migrated database."""
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    return engine


async def once(url: str, trades: int) -> float:
    """Wait for one recorder to take it all."""
    engine = create_engine(DatabaseSettings(database_url=url))
    try:
        return await drained(engine, trades)
    finally:
        await engine.dispose()


async def migrated(url: str) -> None:
    """Make the tables."""
    engine = await prepare(url)
    await engine.dispose()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        broker, database = Broker(Path(folder) / "kafka"), Database(Path(folder) / "postgres")
        broker.start()
        database.start()
        for symbols in (4, 400):
            for size, frames in ((25, 32_000), (250, 6_000)):
                trades = asyncio.run(fill(broker.bootstrap, symbols, frames, size))
                url = database.create_database()
                asyncio.run(migrated(url))
                environment = {"PERPSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap, "PERPSTREAM_DATABASE_URL": url}
                process = ServiceProcess("recorder", environment, Path(folder) / "log")
                process.start()
                server = processor_seconds(database.pid)
                rate = asyncio.run(once(url, trades))
                own, server = processor_seconds(process.pid), processor_seconds(database.pid) - server
                process.stop()
                database.drop_database(url)
                print(
                    f"{symbols:4d} symbols, frames of {size:3d}: {rate:10,.0f} rows/s of {trades:,};"
                    f" processor time a row: recorder {own / trades * 1e6:.1f} µs, PostgreSQL {server / trades * 1e6:.1f} µs"
                )
                sys.stdout.flush()
        database.stop()
        broker.stop()


if __name__ == "__main__":
    main()
