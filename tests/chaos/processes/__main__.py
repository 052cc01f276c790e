"""`python -m tests.chaos.processes`: many seeds with real processes, a fault log of each, and a table of what was wrong."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.money.fleet import be_quiet
from tests.chaos.money.run import Verdict
from tests.chaos.processes.run import run_seed
from tests.chaos.processes.servers import Servers

LOGS = ("faults.jsonl",)


def main() -> int:
    """1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.processes", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument(
        "--folder", type=Path, help="where the logs go (default: a new temporary folder, which is named)"
    )
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="perpstream-chaos-"))
    console = Console()
    be_quiet()
    signal.signal(signal.SIGTERM, _end)
    console.print(f"logs: {folder}", markup=False)
    began = time.monotonic()
    verdicts = asyncio.run(_all(range(asked.first, asked.first + asked.runs), folder, console))
    return _report(console, verdicts, time.monotonic() - began)


def _end(number: int, _frame: object) -> None:
    """Asked to stop, the loop ends as by Ctrl-C: no process of a run is left behind."""
    sys.exit(128 + number)


async def _all(seeds: range, folder: Path, console: Console) -> list[Verdict]:
    """A run without findings leaves its fault log only."""
    verdicts: list[Verdict] = []
    for seed in seeds:
        (folder / str(seed)).mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="perpstream-chaos-servers-") as home:
        servers = Servers(Path(home))
        async with servers.running():
            for seed in seeds:
                began = time.monotonic()
                verdict = await run_seed(seed, servers, folder / str(seed))
                verdicts.append(verdict)
                entered, signals = verdict.counts["entered"], verdict.counts["signals"]
                told = "; ".join(f"{one.kind}: {one.what}" for one in verdict.findings) or "nothing found"
                seconds = time.monotonic() - began
                console.print(
                    f"seed {seed} ({seconds:.0f} s): {entered}/{signals} entered, {told}", markup=False, highlight=False
                )
                if not verdict.findings:
                    _thin_out(folder / str(seed))
    return verdicts


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
