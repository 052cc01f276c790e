"""`python -m tests.chaos.processes`: many seeds with real processes, a fault log of each, and a table of what was wrong."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libs.kit.clock import SystemClock
from tests.chaos.money.findings import Finding
from tests.chaos.money.fleet import be_quiet
from tests.chaos.money.run import Verdict
from tests.chaos.processes.log import FaultLog
from tests.chaos.processes.run import run_seed
from tests.chaos.processes.servers import Servers

LOGS = ("faults.jsonl",)


@dataclass(frozen=True)
class Asked:
    """What the command line wants."""

    runs: int
    first: int
    workers: int
    folder: Path
    keep: bool


def main() -> int:
    """1 when anything was found."""
    asked = _asked()
    console = Console()
    be_quiet()
    signal.signal(signal.SIGTERM, _end)
    console.print(f"logs: {asked.folder}", markup=False)
    began = time.monotonic()
    verdicts = asyncio.run(_all(asked, console))
    return _report(console, verdicts, time.monotonic() - began)


def _asked() -> Asked:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.processes", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument(
        "--workers", type=int, default=2, help="runs side by side, each with servers of its own (default 2)"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the logs go (default: a new temporary folder, which is named)"
    )
    parser.add_argument("--keep", action="store_true", help="keep what processes have logged in good runs too")
    found = parser.parse_args()
    folder = found.folder or Path(tempfile.mkdtemp(prefix="perpstream-chaos-"))
    return Asked(found.runs, found.first, found.workers, folder, found.keep)


def _end(number: int, _frame: object) -> None:
    """Asked to stop, the loop ends as by Ctrl-C: no process of a run is left behind."""
    sys.exit(128 + number)


async def _all(asked: "Asked", console: Console) -> list[Verdict]:
    """Each worker has a broker, a database and one run at a time. A good run leaves its fault log only, unless all is kept."""
    seeds = deque(range(asked.first, asked.first + asked.runs))
    for seed in seeds:
        (asked.folder / str(seed)).mkdir(parents=True)
    verdicts: list[Verdict] = []

    async def work(servers: Servers) -> None:
        while seeds:
            seed, began = seeds.popleft(), time.monotonic()
            verdicts.append(verdict := await _one(seed, servers, asked.folder / str(seed)))
            if not (verdict.findings or asked.keep):
                _thin_out(asked.folder / str(seed))
            console.print(_line(verdict, time.monotonic() - began), markup=False, highlight=False, soft_wrap=True)

    with tempfile.TemporaryDirectory(prefix="perpstream-chaos-servers-") as home:
        async with AsyncExitStack() as stack:
            all_servers = [Servers(Path(home) / str(number)) for number in range(asked.workers)]
            for servers in all_servers:
                await stack.enter_async_context(servers.running())
            async with asyncio.TaskGroup() as group:
                for servers in all_servers:
                    group.create_task(work(servers))
    return sorted(verdicts, key=lambda one: one.seed)


async def _one(seed: int, servers: Servers, folder: Path) -> Verdict:
    """What the harness itself cannot carry out is a finding too: one seed must not end all others."""
    try:
        return await run_seed(seed, servers, folder)
    except Exception:
        what = traceback.format_exc()
        FaultLog(folder / "faults.jsonl", SystemClock().now_ms()).tell("finding", kind="crashed", about=what)
        return Verdict(seed, [Finding("crashed", what.strip().splitlines()[-1])])


def _line(verdict: Verdict, seconds: float) -> str:
    entered, signals = verdict.counts.get("entered", 0), verdict.counts.get("signals", 0)
    told = "; ".join(f"{one.kind}: {one.what}" for one in verdict.findings) or "nothing found"
    longest = f"longest without a stop {verdict.longest_bare_ms} ms"
    return f"seed {verdict.seed} ({seconds:.0f} s): {entered}/{signals} entered, {longest}, {told}"


def _thin_out(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in LOGS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _report(console: Console, verdicts: list[Verdict], seconds: float) -> int:
    total, kinds = Counter[str](), Counter[str]()
    for verdict in verdicts:
        total.update(verdict.counts)
        kinds.update({finding.kind for finding in verdict.findings})
    bad = [str(verdict.seed) for verdict in verdicts if verdict.findings]
    table = Table(title=f"{len(verdicts)} runs with real processes in {seconds:.0f} s, {len(bad)} with findings")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for name, number in total.items():
        table.add_row(name, str(number))
    table.add_row("longest without a stop, ms", str(max((one.longest_bare_ms for one in verdicts), default=0)))
    for kind, number in kinds.most_common():
        table.add_row(f"runs with {kind}", str(number), style="red")
    console.print(table)
    if bad:
        console.print(f"seeds with findings: {' '.join(bad)}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
