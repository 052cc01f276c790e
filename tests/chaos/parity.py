"""The whole live pipeline under trouble, and then its replays: from the log and from the tables the same signals, byte for byte.

python -m tests.chaos.parity [--rounds 6] [--speed 60] [--workers 2] [--symbols 4]

A round cuts connections, makes a hole that nobody can fill, kills a worker (kill -9, and with it a rebalance), the ingest and
the recorder, and edits a strategy while all of it runs.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from libs.contracts.codec import encode_value
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import SIGNAL_INDICATOR, SIGNAL_SCORED, Topic
from libs.indicators.settings import KernelSettings
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from libs.streaming.records import LogReader
from services.backtester.reading import TableMarket, stretches
from services.backtester.sources import Market, Span, Stretch
from services.backtester.sources.postgres import PostgresSource
from services.backtester.sources.timeline import TimelineMarket
from services.exchange_simulator.symbols import generated_symbols
from tests.chaos.cuts import fault
from tests.e2e.replay import query
from tests.e2e.stack import Stack, wait_for

# Low enough that something is signalled again and again, emitted and refused.
THRESHOLDS = {"v51": 12, "v52": 8}
STEP_MS = 3_600_000
HISTORY_MS = 48 * 3_600_000
Signals = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much trouble: `rounds`, each of about two minutes of venue time and more."""

    rounds: int = 6
    speed: float = 60
    workers: int = 2
    symbols: int = 4
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found. `problems`: what is not as it must be, one line each."""

    rows: list[tuple[str, str]]
    problems: list[str]


def run(plan: Plan, folder: Path) -> Outcome:
    """Start a stack in `folder`, trouble it, and compare what it said with its replays."""
    strategies = folder / "strategies"
    strategies.mkdir()
    for name, threshold in THRESHOLDS.items():
        _edit(
            Path("strategies") / f"{name}.json", strategies / f"{name}.json", threshold=threshold, cooldown_seconds=60
        )
    os.environ["PERPSTREAM_STRATEGIES_DIR"] = str(strategies)
    os.environ["PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS"] = "5"
    stack = Stack(folder / "state")
    symbols = generated_symbols(plan.symbols)
    try:
        stack.up("--symbols", ",".join(symbols), "--speed", f"{plan.speed:g}", "--workers", str(plan.workers))
        wait_for(lambda: _signals(stack) > 0, 180, "a first signal", stack)
        for number in range(plan.rounds):
            _trouble(plan, stack, strategies, number)
            print(f"\rround {number + 1} of {plan.rounds}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        wait_for(stack.ready, 180, "everything ready again", stack)
        return asyncio.run(_compare(stack))
    finally:
        stack.down()


def _trouble(plan: Plan, stack: Stack, strategies: Path, number: int) -> None:
    dice = random.Random(f"{plan.seed}/{number}")
    victims = ("signal_engine", "trade_ingest", "recorder", "sequencer")
    fault(stack, {"kind": "disconnect", "path": "/market", "for_ms": dice.randint(1_000, 20_000)})
    if number % 2:
        _make_hole(plan, stack)
    file = strategies / "v51.json"
    _edit(file, file, version=json.loads(file.read_text())["version"] + 1, threshold=dice.choice((6, 10, 20)))
    names = [item.name for item in stack.run_file().services if item.name.startswith(victims[number % len(victims)])]
    os.kill(stack.pid_of(dice.choice(names)), signal.SIGKILL)
    begun = _evaluated(stack)
    wait_for(lambda: _evaluated(stack) > begun + 8 * plan.symbols, 120, "evaluations after the trouble", stack)


def _make_hole(plan: Plan, stack: Stack) -> None:
    """Lose messages while the history of trades is gone, for as long as patience lasts."""
    before = _holes(stack)
    fault(stack, {"kind": "history_expired", "for_ms": int(30_000 * plan.speed)})
    # Behind the cut that this round begins with: nobody loses what nobody is connected to hear.
    fault(stack, {"kind": "drop", "after_ms": int(3_000 * plan.speed), "for_ms": 10_000})
    wait_for(lambda: _holes(stack) > before, 90, "a hole in band", stack)


def _holes(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) FROM market_data_gaps WHERE in_band")[0][0])


def _edit(source: Path, target: Path, **changes: object) -> None:
    content = json.loads(source.read_text()) | changes
    unfinished = target.with_suffix(".part")
    unfinished.write_text(json.dumps(content))
    unfinished.replace(target)


def _signals(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) FROM signal_logs")[0][0])


def _evaluated(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) FROM signal_indicators")[0][0])


async def _compare(stack: Stack) -> Outcome:
    """Up to the newest instant that every symbol's evaluations have come to."""
    bootstrap = stack.run_file().kafka_bootstrap
    newest: dict[str, int] = {}
    for event, _ in await _said(bootstrap, SIGNAL_INDICATOR):
        if isinstance(event, IndicatorComputed):
            newest[event.symbol] = max(newest.get(event.symbol, 0), event.event_time_ms)
    end_ms = min(newest.values())
    live, problems = await _live(bootstrap, end_ms)
    await _until_recorded(stack, end_ms)
    engine = create_engine(DatabaseSettings(database_url=stack.database_url().replace("://", "+asyncpg://", 1)))
    markets: list[Market] = [TimelineMarket(bootstrap), TableMarket(PostgresSource(engine, "as-seen"))]
    rows = [
        ("signals said", f"{len(live):,}"),
        ("of these emitted", f"{sum(b'emitted' in text for text in live.values()):,}"),
    ]
    for market in markets:
        replayed = await _replayed(market, end_ms)
        different = [key for key in live.keys() & replayed.keys() if live[key] != replayed[key]]
        differing = len(different)
        problems += [f"{market.description}: {_difference(live[key], replayed[key])}" for key in sorted(different)[:3]]
        missing, more = live.keys() - replayed.keys(), replayed.keys() - live.keys()
        rows.append(
            (
                market.description,
                f"{len(replayed):,} signals, {differing} differ, {len(missing)} missing, {len(more)} more",
            )
        )
        if differing or missing or more:
            problems.append(
                f"{market.description}: {differing} differ, missing {sorted(missing)[:3]}, more {sorted(more)[:3]}"
            )
    await engine.dispose()
    counted = "SELECT count(*) FROM market_data_gaps WHERE in_band"
    holes = str((await asyncio.to_thread(query, stack.database_url(), counted))[0][0])
    rows += [
        ("versions of v51 among them", str(len({_version(text) for text in live.values()}))),
        ("holes in band", holes),
    ]
    return Outcome(rows, problems)


def _difference(one: bytes, other: bytes) -> str:
    """Which fields of two contents of one signal differ, and how."""
    first, second = (msgspec.json.decode(text, type=dict[str, object]) for text in (one, other))
    fields = {
        name: (first.get(name), second.get(name)) for name in first | second if first.get(name) != second.get(name)
    }
    return f"{first['symbol']} at {first['event_time_ms']}: {fields}"


def _version(text: bytes) -> tuple[str, int]:
    event = msgspec.json.decode(text, type=SignalScored)
    return event.strategy, event.version


async def _until_recorded(stack: Stack, end_ms: int) -> None:
    """Until the tables have trades of every symbol from after that instant, and so everything before it."""
    asked = "SELECT count(*) FILTER (WHERE last_time <= to_timestamp($1 / 1000.0)) FROM agg_trades_meta".replace(
        "$1", str(end_ms)
    )
    deadline = time.monotonic() + 120
    while (await asyncio.to_thread(query, stack.database_url(), asked))[0][0]:
        assert time.monotonic() < deadline, "the recorder does not come after"
        await asyncio.sleep(0.5)


async def _live(bootstrap: str, end_ms: int) -> tuple[Signals, list[str]]:
    """What stands on the topic, by id; the same id twice must be the same bytes."""
    found: Signals = {}
    problems: list[str] = []
    for event, value in await _said(bootstrap, SIGNAL_SCORED):
        counts = isinstance(event, SignalScored) and event.event_time_ms <= end_ms
        if counts and found.setdefault(event.event_id, value) != value:
            problems.append(f"two contents of {event.event_id}")
    return found, problems


async def _said(bootstrap: str, topic: Topic) -> list[tuple[IndicatorComputed | SignalScored, bytes]]:
    found: list[tuple[IndicatorComputed | SignalScored, bytes]] = []
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(topic.name):
            async for batch in log.range(topic.name, partition, 0, await log.end(topic.name, partition)):
                found += [(_read(topic, record.value or b""), record.value or b"") for record in batch]
    return found


def _read(topic: Topic, value: bytes) -> IndicatorComputed | SignalScored:
    if topic is SIGNAL_SCORED:
        return msgspec.json.decode(value, type=SignalScored)
    return msgspec.json.decode(value, type=IndicatorComputed)


async def _replayed(market: Market, end_ms: int) -> Signals:
    """The signals of a replay of everything that is kept, up to `end_ms`."""
    span = Span(end_ms - HISTORY_MS, end_ms + 1)
    readers = await market.readers(await market.symbols(), span, KernelSettings(), ())
    found: Signals = {}
    for reader in readers:
        await reader.begin()
        for until_ms in stretches(span, STEP_MS):
            signals = _signals_of(await reader.advance(until_ms))
            found |= {item.event_id: encode_value(item) for item in signals if item.event_time_ms <= end_ms}
        await reader.close()
    return found


def _signals_of(parts: Sequence[Stretch]) -> list[SignalScored]:
    return [signal for part in parts for item in part.evaluations for signal in item.signals]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    plan = Plan()
    parser.add_argument("--rounds", type=int, default=plan.rounds)
    parser.add_argument("--speed", type=float, default=plan.speed)
    parser.add_argument("--workers", type=int, default=plan.workers)
    parser.add_argument("--symbols", type=int, default=plan.symbols)
    parser.add_argument("--seed", type=int, default=plan.seed)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Plan(**vars(given)), Path(folder))
    table = Table("what", "seen", title=f"parity after {given.rounds} rounds of trouble")
    for what, seen in outcome.rows:
        table.add_row(what, seen)
    Console().print(table)
    for problem in outcome.problems:
        print(problem, file=sys.stderr)
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
