"""How long evaluations pause when a worker joins the signal engine, and when one is killed; and how soon a worker is ready.

python -m tests.bench.bench_workers [--rounds 3] [--symbols 8] [--trades-per-second 500]

A whole stack with one engine, whose strategies are evaluated each second. A round starts a second worker, waits until it has
partitions, and kills it with -9. A pause is the longest time between two evaluations of any symbol on their topic, by the
broker's clock, less the second that is due.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libs.contracts.codec import decode_as
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import SIGNAL_INDICATOR
from libs.streaming.tail import TailConsumer
from tests.bench.bench_stack import running
from tests.e2e.stack import Stack
from tests.services.processes import ServiceProcess, eventually

GRID_MS = 1_000
QUIET_SECONDS = 8.0
"""So long all symbols must have gone on without a pause before the next thing is done."""


@dataclass(slots=True)
class Pauses:
    """Follows the evaluations of all symbols."""

    last_ms: dict[str, int] = field(default_factory=dict)
    longest_ms: int = 0

    def seen(self, symbol: str, appended_ms: int) -> None:
        """An evaluation was appended to its topic."""
        if symbol in self.last_ms:
            self.longest_ms = max(self.longest_ms, appended_ms - self.last_ms[symbol] - GRID_MS)
        self.last_ms[symbol] = appended_ms

    def take(self) -> float:
        """The longest pause since this was asked last, in seconds."""
        found, self.longest_ms = self.longest_ms, 0
        return found / 1000

    def all_since(self, ms: int) -> bool:
        """Whether every symbol was evaluated since then."""
        return bool(self.last_ms) and min(self.last_ms.values()) > ms


async def follow(bootstrap: str, pauses: Pauses) -> None:
    """Read evaluations as they come. Never returns."""
    async with TailConsumer(bootstrap, [SIGNAL_INDICATOR.name]) as tail:
        while True:
            for record in await tail.poll():
                pauses.seen(decode_as(IndicatorComputed, record.value).symbol, record.timestamp_ms)


async def settled(pauses: Pauses, symbols: int) -> None:
    """Until every symbol has been evaluated for some seconds, whatever happened before."""
    since_ms = time.time_ns() // 1_000_000 + int(QUIET_SECONDS * 1000)

    async def everyone() -> bool:
        return len(pauses.last_ms) == symbols and pauses.all_since(since_ms)

    await eventually(everyone, 90, lambda: f"{len(pauses.last_ms)} of {symbols} symbols: {pauses.last_ms}")


@dataclass(slots=True)
class Round:
    """Seconds: from the process's start to its partitions, the pause then, and the pause after it was killed."""

    ready: float
    joined: float
    killed: float


async def one_round(worker: ServiceProcess, pauses: Pauses, symbols: int) -> Round:
    """Start, wait, kill, wait."""
    await settled(pauses, symbols)
    pauses.take()
    lives = worker.log.read_text().count("partition recovered") if worker.log.exists() else 0
    began = time.monotonic()
    worker.start()

    async def has_partitions() -> bool:
        return worker.log.read_text().count("partition recovered") > lives

    await eventually(has_partitions, 60, lambda: worker.log.read_text()[-2000:])
    ready = time.monotonic() - began
    await settled(pauses, symbols)
    joined = pauses.take()
    worker.kill()
    await settled(pauses, symbols)
    return Round(ready, joined, pauses.take())


async def measure(stack: Stack, folder: Path, rounds: int, symbols: int) -> list[Round]:
    """The rounds, one after the other."""
    run, pauses = stack.run_file(), Pauses()
    environment = {"PERPSTREAM_KAFKA_BOOTSTRAP": run.kafka_bootstrap, "PERPSTREAM_DATABASE_URL": run.database_url}
    if run.database_password_file is not None:
        environment["PERPSTREAM_DATABASE_PASSWORD_FILE"] = str(run.database_password_file)
    worker = ServiceProcess("signal_engine", environment, folder / "worker.log")
    reading = asyncio.create_task(follow(run.kafka_bootstrap, pauses))
    try:
        return [await one_round(worker, pauses, symbols) for _ in range(rounds)]
    finally:
        reading.cancel()
        if worker.running:
            worker.kill()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--symbols", type=int, default=8)
    parser.add_argument("--trades-per-second", type=float, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "strategies").mkdir()
        every_second = json.loads(Path("strategies/v51.json").read_text()) | {"evaluation_interval": "1s"}
        (folder / "strategies" / "v51.json").write_text(json.dumps(every_second))
        with running(given.trades_per_second, given.symbols, folder / "strategies") as stack:
            found = asyncio.run(measure(stack, folder, given.rounds, given.symbols))
    table = Table(
        "seconds", "median", "worst", title=f"{given.symbols} symbols, evaluated each second, {given.rounds} rounds"
    )
    parts: dict[str, Callable[[Round], float]] = {
        "from a worker's start to its partitions": lambda each: each.ready,
        "pause when it joins": lambda each: each.joined,
        "pause when it is killed (-9)": lambda each: each.killed,
    }
    for what, part in parts.items():
        values = [part(each) for each in found]
        table.add_row(what, f"{statistics.median(values):.2f}", f"{max(values):.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
