"""What the tests of this folder share: topics of their own, plain values on them, and children that are killed."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from libs.contracts.codec import Encoded
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record, end_offset, read_range

_NUMBERS = itertools.count()


async def new_topic(bootstrap: str, partitions: int = 1, *, dead_letters: bool = False) -> str:
    """A topic with a name that no other test has."""
    name = f"test.t{os.getpid()}.n{next(_NUMBERS)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics = [NewTopic(name, partitions, 1)] + [NewTopic(f"{name}.dlq", 1, 1)] * dead_letters
        answer = await admin.create_topics(topics)
        assert all(code == 0 for _, code, _ in answer.topic_errors), answer
    finally:
        await admin.close()
    return name


async def put(bootstrap: str, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
    """Append plain values in order."""
    producer = EventProducer(bootstrap, service="test", on_failure=fail)
    await producer.start()
    for value in values:
        await producer.send_encoded(topic, Encoded(value, []), key=None, partition=partition)
    await producer.stop()


def fail(reason: str) -> None:
    raise AssertionError(reason)


async def whole(bootstrap: str, topic: str, partition: int = 0) -> list[Record]:
    """Every record of a partition."""
    end = await end_offset(bootstrap, topic, partition)
    return [record async for batch in read_range(bootstrap, topic, partition, 0, end) for record in batch]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30.0) -> None:
    """Wait for a condition; fails with its source when it does not come true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition is another process's
            await asyncio.sleep(0.05)


class Child:
    """A Python module of the tests as a real process that appends lines to a file."""

    def __init__(self, module: str, arguments: Sequence[str], folder: Path) -> None:
        self.lines_file = folder / f"lines.{next(_NUMBERS)}"
        self.log = folder / f"log.{next(_NUMBERS)}"
        self.lines_file.touch()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(self.lines_file), *arguments], stdout=log, stderr=log
            )

    def lines(self) -> list[str]:
        return self.lines_file.read_text().split()

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float = 30.0) -> int:
        """Its exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            await asyncio.sleep(0.02)
        return self.process.returncode

    async def wrote(self, line: str, seconds: float = 30.0) -> None:
        """Wait until it has written this line."""
        deadline = time.monotonic() + seconds
        while line not in self.lines():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, (self.lines(), self.log.read_text()[-3000:])
            await asyncio.sleep(0.02)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def child(module: str, arguments: Sequence[str], folder: Path) -> Iterator[Child]:
    """A child that does not outlive the block."""
    started = Child(module, arguments, folder)
    try:
        yield started
    finally:
        started.kill()
