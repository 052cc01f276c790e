"""What the ways in and out of Kafka carry, in one run on one machine, so that their ratios mean something (a table).

`python -m tests.bench.bench_streaming [frames]`. Frames hold 100 trades (about 6 KB). Records a second say how busy this machine
is; processor time a record (of this process, without the broker) and the ratios say what each way costs.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from libs.contracts.codec import Encoded, decode_as, encode
from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame
from libs.streaming.consumer import BatchConsumer, Commit, ConsumerOptions, PartitionBatch
from libs.streaming.faust_app import WorkerSettings, build_worker
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from tests.bench.frames import market, symbols_of
from tests.libs.streaming.broker import new_topic
from tests.support.servers import Broker

PARTITIONS = 4
TRADES = 100


class NoPositions:
    """Every group starts at the beginning."""

    async def load(self, group: str, topic: str, partition: int, generation: str) -> int | None:
        return None


async def produce(bootstrap: str, topic: str, values: list[Encoded]) -> float:
    producer = EventProducer(bootstrap, service="bench")
    await producer.start()
    started = time.perf_counter()
    for number, encoded in enumerate(values):
        await producer.send_encoded(topic, encoded, key=b"k", partition=number % PARTITIONS)
    await producer.flush()
    seconds = time.perf_counter() - started
    await producer.stop()
    return len(values) / seconds


def take(record: Record) -> int:
    return len(read_columns(decode_as(AggTradeFrame, record.value)))


async def read_ranges(bootstrap: str, topic: str, frames: int) -> float:
    count, started = 0, time.perf_counter()
    async with LogReader(bootstrap) as log:
        for partition in range(PARTITIONS):
            async for batch in log.range(topic, partition, 0, frames):
                for record in batch:
                    take(record)
                count += len(batch)
    return count / (time.perf_counter() - started)


class Stopwatch:
    """Records a second between the first and the last of `frames` records."""

    def __init__(self, frames: int) -> None:
        self.stopping = asyncio.Event()
        self.left = frames
        self.frames = frames
        self.started = self.ended = 0.0

    def count(self, records: int) -> None:
        now = time.perf_counter()
        self.started = self.started or now
        self.left -= records
        if self.left <= 0:
            self.ended = now
            self.stopping.set()

    @property
    def rate(self) -> float:
        return self.frames / (self.ended - self.started)


async def consume(bootstrap: str, topic: str, frames: int) -> float:
    watch = Stopwatch(frames)

    async def handle(batch: PartitionBatch, _: Commit) -> None:
        for record in batch.records:
            take(record)
        watch.count(len(batch.records))

    options = ConsumerOptions(collect_ms=50, session_timeout_ms=6000)
    consumer = BatchConsumer(bootstrap, f"bench.{topic}", [topic], NoPositions(), handle, options)
    await consumer.run(watch.stopping)
    return watch.rate


async def faust(bootstrap: str, topic: str, frames: int) -> float:
    watch = Stopwatch(frames)

    async def process(record: Record) -> None:
        take(record)
        watch.count(1)

    settings = WorkerSettings(bootstrap, f"faust.{topic}", topic, session_timeout_seconds=6)
    await build_worker(settings, process).run(watch.stopping)
    return watch.rate


@dataclass(frozen=True, slots=True)
class Row:
    """One way: its name, records a second, processor µs a record, trades a record."""

    name: str
    rate: float
    cpu_us: float
    trades: int


async def timed(name: str, work: Awaitable[float], records: int, trades: int = TRADES) -> Row:
    started = time.process_time()
    rate = await work
    return Row(name, rate, (time.process_time() - started) * 1e6 / records, trades)


async def measure(bootstrap: str, frames: int) -> list[Row]:
    symbols = symbols_of(4, 0, 1)
    encoded = [encode(frame) for frame in market(symbols, 0, (frames, TRADES), 5000)]
    topic, small = await new_topic(bootstrap, PARTITIONS), await new_topic(bootstrap, PARTITIONS)
    little = [Encoded(b"x" * 200, [("schema", b"bench/1")])] * (2 * frames)
    return [
        await timed("producer, frames", produce(bootstrap, topic, encoded), frames),
        await timed("producer, records of 200 B", produce(bootstrap, small, little), 2 * frames, 1),
        await timed("range reader, frames decoded", read_ranges(bootstrap, topic, frames), frames),
        await timed("getmany with positions, frames decoded", consume(bootstrap, topic, frames), frames),
        await timed("Faust worker, frames decoded", faust(bootstrap, topic, frames), frames),
    ]


def main() -> None:
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        try:
            rows = uvloop.run(measure(broker.bootstrap, frames))
        finally:
            broker.stop()
    title = f"libs.streaming, {frames} frames of {TRADES} trades"
    table = Table("path", "records/s", "trades/s", "CPU µs a record", "CPU to getmany", title=title)
    reference = rows[3].cpu_us
    for row in rows:
        trades = f"{row.rate * row.trades:,.0f}" if row.trades > 1 else ""
        table.add_row(row.name, f"{row.rate:,.0f}", trades, f"{row.cpu_us:.0f}", f"{row.cpu_us / reference:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
