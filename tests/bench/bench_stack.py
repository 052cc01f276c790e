"""The whole stack on one machine: memory at rest, the rate it sustains, and the delay from a trade to its evaluation.

python -m tests.bench.bench_stack rest|rate|delay [--seconds N] [--trades-per-second N] [--symbols N]
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import asyncpg
import numpy as np
from rich.console import Console
from rich.table import Table

from libs.contracts.codec import decode_as
from libs.contracts.market import AggTradeFrame
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import AGGTRADE, SIGNAL_INDICATOR, TIMELINE
from libs.streaming.records import LogReader, Record
from libs.streaming.tail import TailConsumer
from services.exchange_simulator.symbols import generated_symbols
from tests.e2e.stack import Stack

GRID_MS = 1_000
# Evaluations of frames that were sent before the measurement began, with some to spare.
_FIRST_UNPAIRED = 100


@contextlib.contextmanager
def running(rate: float, symbols: int, strategies: Path | None = None) -> Iterator[Stack]:
    """A fresh stack on free ports with a synthetic market of this rate."""
    os.environ["PERPSTREAM_SIM_RATE"] = str(rate)
    # A fresh start fetches the open minute by REST; at these rates the venue's budget would stretch that to minutes.
    os.environ["PERPSTREAM_SIM_WEIGHT_LIMIT"] = "1000000"
    if strategies is not None:
        os.environ["PERPSTREAM_STRATEGIES_DIR"] = str(strategies)
    with tempfile.TemporaryDirectory(prefix="perpstream-bench-") as folder:
        stack = Stack(Path(folder) / "state")
        try:
            stack.up("--symbols", ",".join(generated_symbols(symbols)))
            yield stack
        finally:
            stack.down()


def rest(seconds: float) -> list[tuple[str, str]]:
    """Memory of every process after a while at the demo's rate."""
    with running(60, 4) as stack:
        time.sleep(seconds)
        report = json.loads(stack.command("status", "--json"))
    rows = [(service["name"], f"{service['memory_mb']:.0f} MB") for service in report["services"]]
    return [*rows, ("all of it, supervisor included", f"{report['memory_mb']:.0f} MB")]


@dataclass(slots=True)
class Sample:
    """Trades told by the venue and trades in PostgreSQL, at one moment."""

    at: float
    told: int
    stored: int


async def _samples(stack: Stack, seconds: float) -> list[Sample]:
    connection = await asyncpg.connect(stack.database_url())
    samples = []
    try:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            told = sum(value or 0 for value in (await asyncio.to_thread(stack.simulator))["last_ids"].values())
            stored = await connection.fetchval("SELECT coalesce(sum(last_id), 0)::bigint FROM agg_trades_meta")
            samples.append(Sample(time.monotonic(), told, int(stored)))
            await asyncio.sleep(5)
    finally:
        await connection.close()
    return samples


def rate(seconds: float, trades_per_second: float, symbols: int) -> list[tuple[str, str]]:
    """Sustained trades a second from the venue's socket to PostgreSQL, and whether the lag grows."""
    with running(trades_per_second, symbols) as stack:
        samples = asyncio.run(_samples(stack, seconds))
    half = samples[len(samples) // 3 :]
    elapsed = half[-1].at - half[0].at
    lags = np.array([sample.told - sample.stored for sample in half])
    slope = float(np.polyfit([sample.at - half[0].at for sample in half], lags, 1)[0])
    return [
        ("trades told by the venue", f"{(half[-1].told - half[0].told) / elapsed:,.0f} /s"),
        ("trades stored in PostgreSQL", f"{(half[-1].stored - half[0].stored) / elapsed:,.0f} /s"),
        ("lag, venue to PostgreSQL", f"{np.median(lags):,.0f} trades (median), trend {slope:+,.0f} trades/s"),
    ]


HOPS = ("received → frame on its topic", "→ in the timeline", "→ evaluation on its topic", "→ read")


@dataclass(slots=True)
class Delays:
    """Pairs the message that proved a grid time with the evaluation of that time, hop by hop (broker append times, ms)."""

    watermarks: dict[str, int] = field(default_factory=dict)
    proven: dict[tuple[str, int], tuple[str, int, int]] = field(default_factory=dict)
    sequenced: dict[str, int] = field(default_factory=dict)
    total_ms: list[float] = field(default_factory=list)
    hops_ms: list[tuple[float, ...]] = field(default_factory=list)

    def frame(self, frame: AggTradeFrame, appended_ms: int) -> None:
        """Remember when ingest had received what this frame proves."""
        for part in frame.slices:
            known = self.watermarks.get(part.symbol)
            if known is not None and part.watermark_ms > known:
                first = ((known + 1) // GRID_MS + 1) * GRID_MS
                for grid in range(first, part.watermark_ms + 2, GRID_MS):
                    self.proven[part.symbol, grid] = (frame.event_id, frame.received_us, appended_ms)
            self.watermarks[part.symbol] = max(known or -1, part.watermark_ms)

    def copy(self, frame: AggTradeFrame, appended_ms: int) -> None:
        """Remember when the frame stood in the timeline."""
        self.sequenced.setdefault(frame.event_id, appended_ms)

    def evaluation(self, event: IndicatorComputed, appended_ms: int, seen_us: int) -> None:
        """One evaluation was readable at `seen_us`."""
        proof = self.proven.pop((event.symbol, event.event_time_ms), None)
        if proof is None or proof[0] not in self.sequenced:
            return
        frame_id, received_us, framed_ms = proof
        steps = (received_us / 1000, framed_ms, self.sequenced[frame_id], appended_ms, seen_us / 1000)
        self.total_ms.append((seen_us - received_us) / 1000)
        self.hops_ms.append(tuple(later - earlier for earlier, later in pairwise(steps)))


async def _measure(bootstrap: str, evaluations: int) -> Delays:
    """Only the evaluations are followed while they are made: whoever reads along slows the stack down that is measured.
    What they are compared with stands in the logs, and is read afterwards."""
    seen: list[tuple[Record, int]] = []
    async with TailConsumer(bootstrap, [SIGNAL_INDICATOR.name]) as tail:
        while len(seen) < evaluations + _FIRST_UNPAIRED:
            batch = await tail.poll()
            now = time.time_ns() // 1000
            seen.extend((record, now) for record in batch)
    delays = Delays()
    await _each_frame(bootstrap, AGGTRADE.name, delays.frame)
    await _each_frame(bootstrap, TIMELINE.name, delays.copy)
    for record, at in seen:
        delays.evaluation(decode_as(IndicatorComputed, record.value), record.timestamp_ms, at)
    return delays


async def _each_frame(bootstrap: str, topic: str, take: Callable[[AggTradeFrame, int], None]) -> None:
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(topic):
            end = await log.end(topic, partition)
            async for batch in log.range(topic, partition, await log.beginning(topic, partition), end):
                for record in batch:
                    if record.headers.get("schema") == AggTradeFrame.SCHEMA.encode():
                        take(decode_as(AggTradeFrame, record.value), record.timestamp_ms)


def _percentiles(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    return " · ".join(f"p{p:g} {np.percentile(values, p):.1f}" for p in (50, 90, 99)) + f" · max {values.max():.1f}"


def delay(trades_per_second: float, symbols: int, evaluations: int) -> list[tuple[str, str]]:
    """From ingest's receipt of the first message later than grid time E to the evaluation of E readable on its topic."""
    with tempfile.TemporaryDirectory() as folder:
        every_second = json.loads(Path("strategies/v51.json").read_text()) | {"evaluation_interval": "1s"}
        (Path(folder) / "v51.json").write_text(json.dumps(every_second))
        with running(trades_per_second, symbols, Path(folder)) as stack:
            delays = asyncio.run(_measure(stack.run_file().kafka_bootstrap, evaluations))
    hops = np.array(delays.hops_ms)
    return [
        ("evaluations", f"{len(delays.total_ms):,}"),
        ("delay in ms", _percentiles(np.array(delays.total_ms))),
        *((name, _percentiles(hops[:, index])) for index, name in enumerate(HOPS)),
    ]


def main() -> int:
    """Run one part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("rest", "rate", "delay"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--trades-per-second", type=float)
    parser.add_argument("--symbols", type=int)
    parser.add_argument("--evaluations", type=int, default=10_000)
    chosen = parser.parse_args()
    if chosen.part == "rest":
        title, rows = "embedded stack at rest", rest(chosen.seconds)
    elif chosen.part == "rate":
        pace, symbols = chosen.trades_per_second or 28_000, chosen.symbols or 4
        title, rows = f"whole stack, {pace:,.0f} trades/s asked, {symbols} symbols", rate(chosen.seconds, pace, symbols)
    else:
        pace, symbols = chosen.trades_per_second or 5_000, chosen.symbols or 40
        title = f"delay at {pace:,.0f} trades/s, {symbols} symbols, grid 1 s"
        rows = delay(pace, symbols, chosen.evaluations)
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
