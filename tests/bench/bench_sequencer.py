"""How many trades a second one sequencer copies from the trade topic to the timeline (prints a table)."""

import asyncio
import tempfile
import time
from pathlib import Path

from libs.contracts.topics import AGGTRADE, TIMELINE
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from tests.bench.frames import market, symbols_of
from tests.services.processes import ServiceProcess
from tests.support.servers import Broker

PARTITIONS = 4


async def fill(bootstrap: str, symbols: int, frames: int, size: int) -> int:
    await ensure_topics(bootstrap, PARTITIONS, recreate=True)
    producer, sent = EventProducer(bootstrap, service="bench"), 0
    await producer.start()
    for partition in range(PARTITIONS):
        names = symbols_of(symbols, partition, PARTITIONS)
        if names:
            for frame in market(names, partition, (frames // PARTITIONS, size), 5000):
                await producer.send(AGGTRADE, frame, key=str(partition), partition=partition)
                sent += 1
    await producer.stop(60)
    return sent


async def drained(bootstrap: str, frames: int) -> tuple[float, float]:
    """Seconds of the copying itself: from the first tenth copied to all of it."""
    first = 0.0
    async with LogReader(bootstrap) as reader:
        while True:
            done = sum([await reader.end(TIMELINE.name, partition) for partition in range(PARTITIONS)])
            now = time.perf_counter()
            if not first and done >= frames // 10:
                first, at = now, done
            if done >= frames:
                return now - first, done - at
            await asyncio.sleep(0.005)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        for symbols in (4, 400):
            for size, frames in ((25, 16_000), (250, 4_000)):
                sent = asyncio.run(fill(broker.bootstrap, symbols, frames, size))
                environment = {"PERPSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap}
                process = ServiceProcess("sequencer", environment, Path(folder) / "log")
                process.start()
                seconds, copied = asyncio.run(drained(broker.bootstrap, sent))
                process.stop()
                print(f"{symbols:4d} symbols, frames of {size:3d}: {copied * size / seconds:10,.0f} trades/s")
        broker.stop()


if __name__ == "__main__":
    main()
