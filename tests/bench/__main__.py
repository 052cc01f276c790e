"""`make bench`: every benchmark in a process of its own, one after the other; `make bench ARGS="kernel recorder"` runs some."""

import argparse
import subprocess
import sys
import time

from rich.console import Console

BENCHMARKS: dict[str, tuple[str, ...]] = {
    "kernel": ("bench_kernel",),
    "simulation": ("bench_trade_simulation",),
    "sweep": ("bench_sweep",),
    "scores": ("bench_scores",),
    "backtest": ("bench_backtest",),
    "memory": ("bench_memory",),
    "streaming": ("bench_streaming", "10000"),
    "ingest": ("bench_ingest", "400000"),
    "sequencer": ("bench_sequencer",),
    "engine": ("bench_engine",),
    "recorder": ("bench_recorder",),
    "import": ("bench_import", "3000000"),
    "rest": ("bench_stack", "rest", "--seconds", "30"),
    "rate": ("bench_stack", "rate", "--seconds", "120"),
    "delay": ("bench_stack", "delay"),
    "workers": ("bench_workers",),
}


def main() -> int:
    """Run the named benchmarks, or all of them; 1 when one of them failed to finish."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    screen, failed = Console(), []
    for number, name in enumerate(names, start=1):
        screen.rule(f"{name} ({number} of {len(names)})")
        module, *arguments = BENCHMARKS[name]
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"tests.bench.{module}", *arguments], check=False)
        screen.print(f"{name}: {time.monotonic() - began:.0f} s, exit code {done.returncode}")
        if done.returncode:
            failed.append(name)
    if failed:
        screen.print(f"did not finish: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
