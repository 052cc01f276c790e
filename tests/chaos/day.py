"""More than a day of venue time in minutes: memory stays flat, nothing is missing, and no log says what cannot be explained.

python -m tests.chaos.day [--hours 30] [--speed 80] [--symbols 8] [--trades 6500000]
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from services.exchange_simulator.symbols import generated_symbols
from tests.chaos.evidence import GapRow, ingested, sequenced, stored
from tests.e2e.stack import Stack, wait_for

SAMPLE_SECONDS = 5.0
# The engine keeps the sizes of the last 24 hours' trades, and the history of slow inputs is fetched meanwhile: nothing has its
# final size before. A shorter run judges what comes after its first quarter, and then growth of the engine is no leak yet.
WARM_HOURS, WARM_SHARE = 24.0, 0.25
_LEVEL = re.compile(r"\[(warning|error|critical)\s*\]\s+(.{0,60}?)\s{2,}")


@dataclass(slots=True)
class Watched:
    """Memory by service (MB), one value a sample. `warm`: which share of the run is warm-up."""

    warm: float
    memory: dict[str, list[float]] = field(default_factory=dict)
    samples: int = 0
    unready: int = 0

    def sample(self, stack: Stack) -> None:
        """Ask the stack once."""
        status = _status(stack)
        self.samples += 1
        self.unready += not status.get("ready")
        for service in status.get("services", ()):
            self.memory.setdefault(service["name"], []).append(float(service["memory_mb"]))

    def growth(self) -> dict[str, tuple[list[float], float]]:
        """By service: MB when the warm-up ends and at three later quarters, and how much had been added at the end (share)."""
        found = {}
        for name, values in self.memory.items():
            warm = np.array(values[int(len(values) * self.warm) :])
            width = max(1, len(warm) // 8)
            places = np.linspace(0, len(warm) - width, 4).astype(int)
            levels = [float(np.median(warm[place : place + width])) for place in places]
            found[name] = levels, levels[-1] / levels[0] - 1
        return found


def _status(stack: Stack) -> dict[str, Any]:
    """What `perpstream status` says, ready or not."""
    command = [sys.executable, "-m", "services.console", "status", "--json", "--state-dir", str(stack.state_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    body: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return body


def warnings(logs: Path) -> Counter[str]:
    """What the services' logs say above info, by service and text."""
    found: Counter[str] = Counter()
    for path in sorted(logs.glob("*.log")):
        if path.stem in ("supervisor", "kafka", "postgres"):
            continue
        for line in path.read_text(errors="replace").splitlines():
            if (match := _LEVEL.search(line)) is not None:
                found[f"{path.stem}: {match[1]}: {match[2].strip()}"] += 1
    return found


def run(hours: float, speed: float, symbols: int, trades: int, folder: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """Run the day; what was seen, and what is not as it must be."""
    os.environ["PERPSTREAM_SIM_RATE"] = f"{trades / hours / 3600 * 1.02:.3f}"
    stack, watched = Stack(folder / "state"), Watched(WARM_HOURS / hours if hours > WARM_HOURS else WARM_SHARE)
    try:
        stack.up("--symbols", ",".join(generated_symbols(symbols)), "--speed", f"{speed:g}")
        begun_ms, first = stack.simulator()["venue_time_ms"], dict(stack.simulator()["last_ids"])
        asked = time.monotonic()
        while (passed := stack.simulator()["venue_time_ms"] - begun_ms) < hours * 3_600_000:
            watched.sample(stack)
            print(f"\r{passed / 3_600_000:5.1f} h of venue time", end="", file=sys.stderr, flush=True)
            time.sleep(SAMPLE_SECONDS)
        print(file=sys.stderr)
        real = time.monotonic() - asked
        newest = dict(stack.simulator()["last_ids"])
        url = stack.database_url()
        wait_for(lambda: _stored(url, newest), 300, "every trade in PostgreSQL", stack)
        rows, problems = asyncio.run(_look(stack, newest))
        told = sum(newest[symbol] - (first[symbol] or 0) for symbol in newest)
        rows = [
            (
                "venue time",
                f"{passed / 3_600_000:.1f} h in {real / 60:.1f} min: {passed / 1000 / real:.0f} times as fast",
            ),
            ("trades told meanwhile", f"{told:,}"),
            ("ready", f"{watched.samples - watched.unready} of {watched.samples} times asked"),
            *rows,
        ]
    finally:
        stack.down()
    for name, (levels, grown) in watched.growth().items():
        rows.append(
            (f"memory of {name}", f"{', '.join(f'{level:.0f}' for level in levels)} MB: {grown:+.1%} after warm-up")
        )
        if grown >= 0.05 and name not in ("kafka", "postgres"):
            problems.append(f"{name} has grown by {grown:.1%}")
    rows += [(text, str(count)) for text, count in warnings(folder / "state" / "logs").most_common()]
    return rows, problems


def _stored(url: str, newest: dict[str, int]) -> bool:
    tables, _ = asyncio.run(stored(url))
    return all(symbol in tables and tables[symbol][1] >= last for symbol, last in newest.items())


async def _look(stack: Stack, newest: dict[str, int]) -> tuple[list[tuple[str, str]], list[str]]:
    bootstrap = stack.run_file().kafka_bootstrap
    frames, holes = await ingested(bootstrap)
    timeline = await sequenced(bootstrap)
    tables, gaps = await stored(stack.database_url())
    problems = [f"{symbol}: {problem}" for stories in (frames, timeline) for symbol, story in stories.items()
                if (problem := story.problem()) is not None]  # fmt: skip
    expected = sum(high - low + 1 for low, high, _ in tables.values())
    count = sum(rows for _, _, rows in tables.values())
    if count != expected or holes:
        problems.append(f"{count} of {expected} rows, {holes} holes")
    problems += [str(gap) for gap in gaps if gap.outcome != "filled"]
    return [
        ("trades in PostgreSQL", f"{count:,} of {expected:,} ids: {count / expected:.6%}"),
        ("gaps", _by_cause(gaps)),
        ("late trades", str(sum(story.late for story in frames.values()))),
    ], problems


def _by_cause(gaps: list[GapRow]) -> str:
    counts = Counter((gap.cause, gap.outcome) for gap in gaps)
    return ", ".join(f"{number} {cause} {outcome}" for (cause, outcome), number in counts.items()) or "none"


def main() -> int:
    """Run it and print what was seen; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=30)
    parser.add_argument("--speed", type=float, default=80)
    parser.add_argument("--symbols", type=int, default=8)
    parser.add_argument("--trades", type=int, default=6_500_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="perpstream-day-") as folder:
        rows, problems = run(chosen.hours, chosen.speed, chosen.symbols, chosen.trades, Path(folder))
    table = Table(
        title=f"{chosen.hours:g} h of venue time, {chosen.symbols} symbols, {chosen.trades:,} trades at least"
    )
    table.add_column("what")
    table.add_column("seen", justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=150).print(table)
    for problem in problems[:20]:
        Console().print(f"wrong: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
