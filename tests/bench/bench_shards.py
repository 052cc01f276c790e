"""Hundreds of symbols through several ingest processes: from the simulator's socket write to the frame readable on Kafka.

python -m tests.bench.bench_shards [--symbols 400] [--trades-per-second 4000] [--shards 2] [--flush-ms 20]
    [--seconds 60] [--stack]

The simulator notes when it hands which trades to the network (PERPSTREAM_SIM_WRITE_LOG); a reader notes when it has each frame
in hand. The delay of a trade is the difference. Everything runs on this machine: broker, simulator, shards, reader; with
--stack all other services too.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from infra.local.ports import free_port
from libs.contracts.codec import decode_as
from libs.contracts.frames import FrameGate, read_columns
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.streaming.admin import ensure_topics
from libs.streaming.records import Record
from libs.streaming.tail import TailConsumer
from services.exchange_simulator.symbols import generated_symbols
from services.exchange_simulator.write_log import read_write_log
from tests.e2e.stack import Stack
from tests.services.processes import ServiceProcess, lacking
from tests.support.servers import Broker

PARTITIONS = 4
FRESH_SECONDS = 900
WARM_SECONDS = 15.0
Seen = list[tuple[Record, int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    symbols: int = 400
    trades_per_second: float = 4000
    shards: int = 2
    flush_ms: float = 20
    seconds: float = 60
    stack: bool = False


def _environment(plan: Plan, log: Path) -> dict[str, str]:
    return {
        "PERPSTREAM_SIM_RATE": str(plan.trades_per_second),
        # A fresh start fetches the open minute of each symbol by REST; the venue's budget would stretch that to minutes.
        "PERPSTREAM_SIM_WEIGHT_LIMIT": "1000000",
        "PERPSTREAM_SIM_WRITE_LOG": str(log),
        "PERPSTREAM_TRADES_FLUSH_MS": str(plan.flush_ms),
    }


@contextlib.contextmanager
def ingest_only(plan: Plan, folder: Path, log: Path) -> Iterator[str]:
    """Broker, simulator and shards; yields the broker's address when every shard is ready."""
    symbols, venue, healths = (
        ",".join(generated_symbols(plan.symbols)),
        free_port(),
        [free_port() for _ in range(plan.shards)],
    )
    url = f"http://127.0.0.1:{venue}"
    broker = Broker(folder / "kafka")
    broker.start()
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(broker.stop)
        asyncio.run(ensure_topics(broker.bootstrap, PARTITIONS))
        shared = _environment(plan, log) | {
            "PERPSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap,
            "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
            "PERPSTREAM_SYMBOLS": symbols,
            "PERPSTREAM_SIM_SYMBOLS": symbols,
            "PERPSTREAM_SIM_PORT": str(venue),
            "PERPSTREAM_SIM_STATE_DIR": str(folder / "simulator"),
            "PERPSTREAM_BINANCE_REST_URL": url,
            "PERPSTREAM_BINANCE_WEBSOCKET_URL": url.replace("http", "ws"),
            "PERPSTREAM_BINANCE_SPOT_REST_URL": url,
            "PERPSTREAM_COINBASE_REST_URL": url,
        }
        processes = [
            ServiceProcess("exchange_simulator", shared | {"PERPSTREAM_HEALTH_PORT": "0"}, folder / "venue.log")
        ]
        processes += [
            ServiceProcess(
                "trade_ingest",
                shared | {"PERPSTREAM_HEALTH_PORT": str(health), "PERPSTREAM_TRADES_SHARD": f"{number}/{plan.shards}"},
                folder / f"ingest-{number}.log",
            )
            for number, health in enumerate(healths)
        ]
        try:
            for process in processes:
                process.start()
            # Each symbol is warmed by REST first; the simulator computes a day and a half of bars for each on the same two cores.
            until = time.monotonic() + FRESH_SECONDS
            while any(asyncio.run(lacking(health)) != {} for health in healths):
                if time.monotonic() > until:
                    raise SystemExit((folder / "ingest-0.log").read_text()[-3000:])
                time.sleep(0.5)
            yield broker.bootstrap
        finally:
            for process in processes[::-1]:
                process.stop(30)


@contextlib.contextmanager
def whole_stack(plan: Plan, folder: Path, log: Path) -> Iterator[str]:
    """Everything that `perpstream up` starts."""
    os.environ |= _environment(plan, log)
    stack = Stack(folder / "state")
    try:
        names = ",".join(generated_symbols(plan.symbols))
        stack.up("--symbols", names, "--ingest-shards", str(plan.shards))
        yield stack.run_file().kafka_bootstrap
    finally:
        stack.down()


async def watch(bootstrap: str, seconds: float) -> Seen:
    """Every record of the topic with the moment (µs) at which the reader had it."""
    seen: Seen = []
    async with TailConsumer(bootstrap, [AGGTRADE.name]) as tail:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            batch = await tail.poll()
            now = time.time_ns() // 1000
            seen.extend((record, now) for record in batch)
    return seen


def delays_ms(seen: Seen, log: Path) -> "tuple[np.ndarray[tuple[int], np.dtype[np.float64]], int]":
    """The delay of each trade that was written after the reader began, and how many frames carried them."""
    written: dict[str, tuple[list[int], list[int]]] = {}
    for entry in read_write_log(log):
        for symbol, agg_id in entry.ids.items():
            ids, times = written.setdefault(symbol, ([], []))
            ids.append(agg_id)
            times.append(entry.at_us)
    found, frames, gates = [], 0, dict[int, FrameGate]()
    begun_us = seen[0][1]
    for record, at_us in seen:
        if record.headers.get("schema") != AggTradeFrame.SCHEMA.encode():
            continue
        frame = decode_as(AggTradeFrame, record.value)
        columns = read_columns(frame)
        assert gates.setdefault(frame.partition, FrameGate()).accept(frame) is not None
        frames += 1
        for index, part in enumerate(frame.slices):
            ids, times = written.get(part.symbol, ([], []))
            mine = columns.agg_id[columns.symbol_index == index]
            places = np.searchsorted(np.array(ids), mine)
            for place in places[places < len(ids)]:
                if times[place] > begun_us:
                    found.append((at_us - times[place]) / 1000)
    return np.array(found), frames


def run(plan: Plan) -> list[tuple[str, str]]:
    """Measure once."""
    with tempfile.TemporaryDirectory(prefix="perpstream-shards-") as name:
        folder = Path(name)
        log = folder / "written.jsonl"
        begun = time.monotonic()
        with (whole_stack if plan.stack else ingest_only)(plan, folder, log) as bootstrap:
            ready_seconds = time.monotonic() - begun
            time.sleep(WARM_SECONDS)
            seen = asyncio.run(watch(bootstrap, plan.seconds))
        delays, frames = delays_ms(seen, log)
    points = " · ".join(f"p{point:g} {np.percentile(delays, point):.1f}" for point in (50, 90, 99, 99.9))
    return [
        ("fresh start of all symbols, s", f"{ready_seconds:.0f}"),
        ("trades measured", f"{len(delays):,} ({len(delays) / plan.seconds:,.0f} a second)"),
        ("frames", f"{frames:,} ({frames / plan.seconds:,.0f} a second)"),
        ("socket write to frame in a reader's hand, ms", f"{points} · max {delays.max():.1f}"),
    ]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("symbols", "shards"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan(), name))
    for name in ("trades_per_second", "flush_ms", "seconds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(Plan(), name))
    parser.add_argument("--stack", action="store_true")
    plan = Plan(**vars(parser.parse_args()))
    table = Table(
        title=f"{plan.symbols} symbols, {plan.trades_per_second:,.0f} trades/s, {plan.shards} shards, flush {plan.flush_ms:g} ms"
    )
    table.add_column("what")
    table.add_column("measured", justify="right")
    for row in run(plan):
        table.add_row(*row)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
