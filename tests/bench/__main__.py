"""`make bench`: every benchmark in a process of its own, one after the other; `make bench ARGS="kernel recorder"` runs some.

`--write` puts what they print into docs/PERFORMANCE.md, with the machine and the commands; parts of other benchmarks stay.
`peers` needs the environment that `make peers` installs: `.venv-peers/bin/python -m tests.bench peers --write`.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "kernel": ("bench_kernel",),
    "peers": ("bench_peers",),
    "scores": ("bench_scores",),
    "simulation": ("bench_trade_simulation",),
    "sweep": ("bench_sweep",),
    "backtest": ("bench_backtest",),
    "memory": ("bench_memory",),
    "days": ("three_days",),
    "streaming": ("bench_streaming", "10000"),
    "ingest": ("bench_ingest", "400000"),
    "sequencer": ("bench_sequencer",),
    "engine": ("bench_engine",),
    "recorder": ("bench_recorder",),
    "import": ("bench_import", "3000000"),
    "rest": ("bench_stack", "rest", "--seconds", "30"),
    "rate": ("bench_stack", "rate", "--seconds", "120"),
    "delay": ("bench_stack", "delay"),
    "execution": ("bench_execution",),
    "notifications": ("bench_notifications",),
    "stream": ("bench_stream",),
    "gateway": ("bench_gateway",),
    "page": ("bench_page",),
    "workers": ("bench_workers",),
    "warm": ("bench_warm_worker",),
}
APART = frozenset(("peers",))
"""Not among those that run when none is named."""
PAGE = Path("docs/PERFORMANCE.md")
_PART = re.compile(r"^## (\w+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_HEAD = """# Performance

What the benchmarks printed, written by `make bench ARGS="--write"`. Trust ratios within a table more than figures, and neither on
another machine. What each measures stands on top of its file in `tests/bench`; `make peers` compares with other libraries, in an
environment of its own.

"""


def main() -> int:
    """Run the named benchmarks, or all of them; 1 when one of them failed to finish."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--write", action="store_true", help=f"put what they print into {PAGE}")
    given = parser.parse_args()
    names = given.names or [name for name in BENCHMARKS if name not in APART]
    screen, failed = Console(), []
    for number, name in enumerate(names, start=1):
        screen.rule(f"{name} ({number} of {len(names)})")
        began = time.monotonic()
        printed, code = run(name)
        screen.print(f"{name}: {time.monotonic() - began:.0f} s, exit code {code}")
        if code:
            failed.append(name)
        elif given.write:
            write(name, printed)
    if failed:
        screen.print(f"did not finish: {', '.join(failed)}")
    return 1 if failed else 0


def run(name: str) -> tuple[str, int]:
    """What a benchmark prints, shown while it comes, and its exit code."""
    command = [sys.executable, "-m", f"tests.bench.{BENCHMARKS[name][0]}", *BENCHMARKS[name][1:]]
    plain = os.environ | {"NO_COLOR": "1", "COLUMNS": "120"}
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return "\n".join(lines).strip("\n"), process.returncode


def write(name: str, printed: str) -> None:
    """Replace one benchmark's part of the page."""
    parts = {part.group(1): part.group(0) for part in _PART.finditer(PAGE.read_text() if PAGE.exists() else "")}
    parts[name] = (
        f"## {name}\n\n`{command_of(name)}`, {datetime.now(UTC):%Y-%m-%d}, {machine()}\n\n```\n{printed}\n```\n\n"
    )
    PAGE.write_text((_HEAD + "".join(parts[each] for each in BENCHMARKS if each in parts)).rstrip("\n") + "\n")


def command_of(name: str) -> str:
    """As one would type it."""
    return " ".join(("python -m", f"tests.bench.{BENCHMARKS[name][0]}", *BENCHMARKS[name][1:]))


def machine() -> str:
    """What it ran on, in one line."""
    known = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", known.read_text()) if known.exists() else []
    memory = psutil.virtual_memory().total / 2**30
    model = names[0] if names else platform.machine()
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Python {platform.python_version()}, {platform.system()}"
    )


if __name__ == "__main__":
    sys.exit(main())
