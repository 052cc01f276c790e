"""`python -m tests.chaos.money`: seeds, deaths at awaits, with a table of what was wrong; or one with all that was said."""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.chaos.money.fleet import be_quiet, die_once, replay, run_one
from tests.chaos.money.lives import LIVES, Death, deaths, live
from tests.chaos.money.run import Verdict

_MOST_SHOWN, _SEEDS, _EACH_TOLD = 20, 1000, 200


def main() -> int:
    """1 when anything was found."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of texts have another order in each process otherwise, and a seed would not be one run.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.chaos.money", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    asked = _arguments()
    be_quiet()
    if asked.seed is not None:
        return _tell(f"seed {asked.seed}", replay(asked.seed), asked.trace)
    if asked.life is not None:
        death = Death(asked.life, asked.role, asked.awaits or 0)
        return _tell(str(death), live(death, listens=True), asked.trace)
    console = Console()
    with multiprocessing.get_context("spawn").Pool(asked.workers, be_quiet) as pool:
        found = 0
        if asked.awaits is None:
            began, seeds = time.monotonic(), range(asked.first, asked.first + (asked.seeds or _SEEDS))
            verdicts = pool.imap_unordered(run_one, seeds)
            found |= _report(console, _watched(console, verdicts, "seeds", len(seeds)), began)
        if asked.awaits is not None or asked.seeds is None:
            ends, began = [*deaths("executor"), *deaths("guard")][:: max(1, asked.awaits or 1)], time.monotonic()
            verdicts = pool.imap_unordered(die_once, ends)
            found |= _report(console, _watched(console, verdicts, "deaths", len(ends)), began)
        return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.money", description=__doc__)
    parser.add_argument("--seeds", type=int, help=f"how many, and no deaths (default {_SEEDS}, and all deaths)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (default 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--seed", type=int, help="run this one only, and keep its trace")
    parser.add_argument("--awaits", type=int, help="only deaths, each so-many-th of them; with --life: at that await")
    parser.add_argument("--life", choices=[one.name for one in LIVES], help="this life only, and keep its trace")
    parser.add_argument("--role", choices=("executor", "guard"), default="executor", help="who dies in --life")
    parser.add_argument("--trace", type=Path, help="where the trace goes (default: standard output)")
    return parser.parse_args()


def _tell(name: str, verdict: Verdict, file: Path | None) -> int:
    text = "\n".join(verdict.trace) + "\n"
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text)
    for finding in verdict.findings:
        sys.stderr.write(f"{finding.kind}: {finding.what}\n")
    sys.stderr.write(f"{name}: {verdict.counts}, longest without a stop {verdict.longest_bare_ms} ms\n")
    return int(bool(verdict.findings))


def _watched(console: Console, verdicts: Iterable[Verdict], what: str, total: int) -> Iterable[Verdict]:
    """With a bar, or with a line each so many where nobody sees one; a finding is said at once."""
    began = time.monotonic()
    shown = track(verdicts, what, total=total, console=console, disable=not console.is_terminal)
    for number, verdict in enumerate(shown, 1):
        if verdict.findings:
            console.print(f"{verdict.name}: {verdict.findings[0].kind}", markup=False)
        if not console.is_terminal and number % _EACH_TOLD == 0:
            console.print(f"{number} of {total} {what} in {time.monotonic() - began:.0f} s", markup=False)
        yield verdict


def _report(console: Console, verdicts: Iterable[Verdict], began: float) -> int:
    total, kinds, bad = Counter[str](), Counter[str](), list[Verdict]()
    count = longest = 0
    for verdict in verdicts:
        count += 1
        total.update(verdict.counts)
        longest = max(longest, verdict.longest_bare_ms)
        if verdict.findings:
            bad.append(verdict)
            kinds.update({finding.kind for finding in verdict.findings})
    seconds = time.monotonic() - began
    table = Table(title=f"{count} runs in {seconds:.0f} s, {len(bad)} with findings")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for name, number in total.items():
        table.add_row(name, str(number))
    table.add_row("longest without a stop, ms", str(longest))
    for kind, number in kinds.most_common():
        table.add_row(f"runs with {kind}", str(number), style="red")
    console.print(table)
    for verdict in sorted(bad, key=lambda one: (one.name, one.seed))[:_MOST_SHOWN]:
        first = verdict.findings[0]
        console.print(
            f"{verdict.name}: {len(verdict.findings)} findings; first: {first.kind}: {first.what}", markup=False
        )
    if bad:
        console.print("all of them: " + ", ".join(sorted(verdict.name for verdict in bad)), markup=False)
        console.print("python -m tests.chaos.money with these words tells one again", markup=False)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
