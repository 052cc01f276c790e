"""`make peers`: the full kernel against what other designs take for a part of its work (see `tests.bench.peers` on fairness).

Ratios of rows per second to the kernel's run right before, medians of interleaved rounds. Time is that of the one thread's
processor, or of the wall on both sides where the peer has several threads. Making data is not timed. Every reading must agree
with the kernel over the same rows, or the run ends with both values.
"""

import argparse
import gc
import importlib
import json
import statistics
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from libs.indicators.kernel import LogRows, warm_up
from libs.indicators.settings import KernelSettings
from tests.bench.bench_kernel import EVALUATION_MS, first, stream
from tests.bench.peers import ours
from tests.bench.peers.contender import Contender, Reading, Spent, agree, timed

PEERS = {
    "deques": "deques.contender",
    "nautilus": "nautilus.contender",
    "hftbacktest": "hft.contender",
    "polars": "rolling.contender",
    "buckets": "rolling.buckets",
}
NAUTILUS_ROWS = 1_000_000
"""It would need more than a minute a round for 10 M, and 1 M rows (9 h) fill the windows twice over."""


class Pair(NamedTuple):
    """One measurement: the kernel, and the peer right after it, so that both meet the machine in the same mood."""

    kernel: Spent
    peer: Spent


def maker(name: str) -> Callable[[LogRows], Contender]:
    """What makes a peer's data. Raises `SystemExit` where its library is not installed."""
    module, function = PEERS[name].split(".")
    try:
        found: Callable[[LogRows], Contender] = getattr(
            importlib.import_module(f"tests.bench.peers.{module}"), function
        )
    except ModuleNotFoundError as error:
        raise SystemExit(f"{name} needs {error.name}, which is not installed here: run `make peers`") from None
    return found


def compare(count: int, most: dict[str, int], rounds: int) -> list[dict[str, Any]]:
    """Every peer once a round, the kernel right before each; the rows of the table. `most`: rows that a peer takes at most."""
    makers = {name: maker(name) for name in most}
    rows = stream(count)
    parts = {name: first(rows, min(count, limit)) for name, limit in most.items()}
    sizes = {len(part.time) for part in parts.values()} | {count}
    expected = {size: ours.scores(first(rows, size))() for size in sizes}
    kernel, peers = ours.contender(rows), [makers[name](part) for name, part in parts.items()]
    for contender in (kernel, *peers):
        once(contender, expected)  # compiles what is not compiled yet
    # What was made stays: a garbage collector that looks through it all, again and again, would slow down the peers.
    gc.collect()
    gc.freeze()
    pairs: list[list[Pair]] = [[] for _ in peers]
    for _ in track(range(rounds), "rounds", console=Console(stderr=True), transient=True):
        for peer, seen in zip(peers, pairs, strict=True):
            seen.append(Pair(once(kernel, expected), once(peer, expected)))
    alone = [Pair(pair.kernel, pair.kernel) for seen in pairs for pair in seen]
    return [row(kernel, kernel, alone), *(row(peer, kernel, seen) for peer, seen in zip(peers, pairs, strict=True))]


def once(contender: Contender, expected: dict[int, Reading]) -> Spent:
    """One round of one contender, which must read what the kernel reads."""
    spent, reading = timed(contender)
    agree(contender.name, reading, expected[contender.rows])
    return spent


def row(contender: Contender, kernel: Contender, pairs: list[Pair]) -> dict[str, Any]:
    """Its rate, and how many times that of the kernel right before it."""
    rates = [contender.rows / getattr(pair.peer, contender.clock) for pair in pairs]
    ours_by_pair = [kernel.rows / getattr(pair.kernel, contender.clock) for pair in pairs]
    ratios = sorted(mine / rate for mine, rate in zip(ours_by_pair, rates, strict=True))
    return {
        "design": contender.name,
        "rows": contender.rows,
        "clock": contender.clock,
        "rows_per_second": statistics.median(rates),
        "kernel_is_times_faster": statistics.median(ratios),
        "lowest": ratios[0],
        "highest": ratios[-1],
        "goal": contender.goal,
    }


def show(found: list[dict[str, Any]], rounds: int) -> None:
    """One line a design."""
    table = Table(title=f"CVD and VWAP over 5 min, 30 min and 4 h, and what follows from them; {rounds} rounds")
    for name in (
        "design",
        "rows",
        "clock",
        "M rows/s",
        "the kernel is × faster",
        "lowest to highest",
        "goal",
    ):
        table.add_column(name, justify="left" if name in ("design", "clock") else "right")
    for line in found:
        rate, span = line["rows_per_second"], f"{line['lowest']:,.1f} to {line['highest']:,.1f}"
        goal = f"≥ {line['goal']:,}" if line["goal"] else ""
        cells = (f"{rate / 1e6:,.3f}", f"{line['kernel_is_times_faster']:,.1f}", span, goal)
        table.add_row(line["design"], f"{line['rows']:,}", line["clock"], *cells)
    Console(width=120).print(table)


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make peers", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PEERS, []], metavar="PEER", help=", ".join(PEERS))
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="of the kernel; a peer takes as many unless it is slow"
    )
    parser.add_argument("--nautilus-rows", type=int, default=NAUTILUS_ROWS, help="of NautilusTrader")
    parser.add_argument("--peer-rows", type=int, default=sys.maxsize, help="of any peer at most, for a quicker look")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    return parser.parse_args()


def main() -> None:
    given = read_arguments()
    most = dict.fromkeys(given.names or PEERS, given.peer_rows)
    if "nautilus" in most:
        most["nautilus"] = min(given.peer_rows, given.nautilus_rows)
    warm_up(KernelSettings(bucket_ms=EVALUATION_MS))
    found = compare(given.rows, most, given.rounds)
    if given.json:
        versions = {"python": sys.version.split()[0]} | {name: version(name) for name in ("numba", "numpy")}
        print(json.dumps({"versions": versions, "rounds": given.rounds, "peers": found}, indent=2))
    else:
        show(found, given.rounds)


if __name__ == "__main__":
    main()
