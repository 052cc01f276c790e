"""A consumer as a real process: writes each record's place into a table, in one transaction with its position.

Arguments: lines file, bootstrap, database URL, topic, and perhaps an instance id. Lines: "assigned", then the count of rows
after each transaction.
"""

import asyncio
import signal
import sys
from pathlib import Path

from libs.kit.errors import BadMessage
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine, write_session
from libs.store.offsets import LogPartition, PostgresOffsets, advance
from libs.store.trouble import sorted_trouble
from libs.streaming.consumer import BatchConsumer, Commit, ConsumerOptions, PartitionBatch

GROUP = "seen"


async def main(lines_file: str, bootstrap: str, database_url: str, topic: str, instance: str | None = None) -> None:
    options = ConsumerOptions(instance, session_timeout_ms=6000, collect_ms=5, max_records=100)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    lines = Path(lines_file).open("a", buffering=1)  # noqa: SIM115, ASYNC230 - lives as long as the process

    async def handle(batch: PartitionBatch, commit: Commit) -> None:
        if any(record.value == b"poison" for record in batch.records):
            raise BadMessage("poison", "as the test wants")
        async with sorted_trouble(), write_session(engine) as session:
            await advance(session, LogPartition(*commit.log), commit.old, commit.new)
            rows = [(record.partition, record.offset) for record in batch.records]
            await session.raw.executemany("INSERT INTO seen (partition, record_offset) VALUES ($1, $2)", rows)
        print(len(batch.records), file=lines)

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    consumer = BatchConsumer(bootstrap, GROUP + topic, [topic], PostgresOffsets(engine), handle, options)
    running = asyncio.create_task(consumer.run(stopping))
    first = asyncio.create_task(consumer.assigned.wait())
    await asyncio.wait([running, first], return_when=asyncio.FIRST_COMPLETED)
    print("assigned", file=lines)
    await running


asyncio.run(main(*sys.argv[1:]))
