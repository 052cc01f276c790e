"""Cut the venue's connections and kill the ingest again and again; then every id must be everywhere exactly once, in order.

python -m tests.chaos.cuts [--trades 1000000] [--cuts 50] [--kills 5] [--speed 20] [--seed 1]
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from services.exchange_simulator.faults.ledger import LEDGER_FILE
from services.exchange_simulator.symbols import generated_symbols
from tests.chaos.evidence import GapRow, Story, ingested, never_told, sequenced, stored, told_spans
from tests.e2e.stack import Stack, wait_for

LONGEST_MS = 120_000
# Venue time between two cuts, in the mean: a client that has been refused comes back after some seconds of real time.
PAUSE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much trouble: `trades` at least, `cuts` of 1 to 120 s of venue time, `kills` of trade_ingest. `keep`: where the
    evidence goes."""

    trades: int = 1_000_000
    cuts: int = 50
    kills: int = 5
    speed: float = 20.0
    symbols: int = 8
    seed: int = 1
    keep: Path | None = None

    @property
    def rate(self) -> float:
        """Trades a second of venue time over all symbols, so that they are told by when the last cut is over."""
        return self.trades / (self.cuts * (LONGEST_MS / 2000 + PAUSE_SECONDS))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found. `problems`: what is not as it must be, one line each."""

    rows: list[tuple[str, str]]
    problems: list[str]


def run(plan: Plan, folder: Path) -> Outcome:
    """Start a stack in `folder`, trouble it, wait until it has caught up, and look everywhere."""
    os.environ["PERPSTREAM_SIM_RATE"] = f"{plan.rate:.3f}"
    os.environ["PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS"] = "600"
    stack = Stack(folder / "state")
    names, ledger = generated_symbols(plan.symbols), folder / "state" / "exchange_simulator" / LEDGER_FILE
    try:
        stack.up("--symbols", ",".join(names), "--speed", f"{plan.speed:g}")
        fault(stack, {"kind": "duplicate", "probability": 1e-9})  # from now on the simulator writes down what it tells
        first = dict(stack.simulator()["last_ids"])
        _trouble(plan, stack)
        wait_for(lambda: _told(stack, first) >= plan.trades, 3600, f"{plan.trades} trades", stack)
        newest = dict(stack.simulator()["last_ids"])
        url = stack.database_url()
        wait_for(lambda: _has_all(url, newest), 300, "every trade in PostgreSQL", stack)
        wait_for(lambda: not _open_gaps(url), 120, "no gap open", stack)
        _close_all(stack, ledger, newest)
        os.kill(stack.pid_of("exchange_simulator"), signal.SIGSTOP)  # nothing new while we look
        try:
            return asyncio.run(_look(stack, newest, ledger, plan.keep))
        finally:
            os.kill(stack.pid_of("exchange_simulator"), signal.SIGCONT)
    finally:
        stack.down()


def _trouble(plan: Plan, stack: Stack) -> None:
    chance = random.Random(plan.seed)
    killed_at = set(chance.sample(range(plan.cuts), plan.kills))
    for number in range(plan.cuts):
        time.sleep(chance.uniform(0.2, 1.8) * PAUSE_SECONDS / plan.speed)
        lasts_ms = chance.randint(1000, LONGEST_MS)
        fault(stack, {"kind": "disconnect", "path": "/market", "for_ms": lasts_ms})
        if number in killed_at:
            time.sleep(chance.uniform(0, 1.5) * lasts_ms / 1000 / plan.speed)
            os.kill(stack.pid_of("trade_ingest"), signal.SIGKILL)
        time.sleep(lasts_ms / 1000 / plan.speed)
        print(f"\rcut {number + 1} of {plan.cuts}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def fault(stack: Stack, fault: dict[str, object]) -> None:
    url = f"{stack.run_file().simulator_url}/sim/faults"
    asked = urllib.request.Request(url, json.dumps(fault).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status < 300


def _close_all(stack: Stack, ledger: Path, newest: dict[str, int]) -> None:
    """So that what the last connections were told is written down too."""
    fault(stack, {"kind": "disconnect", "path": "/market"})

    def written() -> bool:
        told = told_spans(ledger)
        return all(max((last for _, last in told.get(symbol, [])), default=-1) >= newest[symbol] for symbol in newest)

    wait_for(written, 30, "every connection in the ledger", stack)


def _told(stack: Stack, first: dict[str, int | None]) -> int:
    newest = stack.simulator()["last_ids"]
    return sum((newest[symbol] or 0) - (begun or 0) for symbol, begun in first.items())


def _has_all(url: str, newest: dict[str, int]) -> bool:
    rows, _ = asyncio.run(stored(url))
    return all(symbol in rows and rows[symbol][1] >= last for symbol, last in newest.items())


def _open_gaps(url: str) -> list[GapRow]:
    return [gap for gap in asyncio.run(stored(url))[1] if gap.outcome == "open"]


async def _look(stack: Stack, newest: dict[str, int], ledger: Path, keep: Path | None) -> Outcome:
    run_file = stack.run_file()
    frames, holes = await ingested(run_file.kafka_bootstrap)
    timeline = await sequenced(run_file.kafka_bootstrap)
    tables, gaps = await stored(stack.database_url())
    # What the last connections were told, and what came after that, is not in the ledger.
    gaps = [gap for gap in gaps if gap.first <= newest[gap.symbol]]
    judged = _joined(gaps)
    problems = [
        *(f"{place}, {symbol}: {problem}"
          for place, stories in (("market.aggtrade.v1", frames), ("market.timeline.v1", timeline))
          for symbol, story in stories.items() if (problem := story.problem()) is not None),
        *(f"{symbol}: the topics lack the newest trades"
          for symbol, last in newest.items() if frames[symbol].ids[-1] < last or timeline[symbol].ids[-1] < last),
        *(f"PostgreSQL, {symbol}: {count} rows for ids {low} to {high}"
          for symbol, (low, high, count) in tables.items() if count != high - low + 1),
        *(f"a gap ended as {gap.outcome} with {gap.unfilled} ids unfilled: {gap}"
          for gap in gaps if gap.outcome != "filled" or gap.unfilled),
    ]  # fmt: skip
    if holes:
        problems.append(f"{holes} holes in band")
    spans = {symbol: (int(story.ids[0]), newest[symbol]) for symbol, story in frames.items()}
    ends = {(symbol, last) for symbol, told in told_spans(ledger).items() for _, last in told}
    excused = Excused(
        _begun(timeline, spans),
        {symbol: story.handovers for symbol, story in frames.items()},
        [gap for gap in judged if (gap.symbol, gap.last) in ends],
    )
    if keep is not None:
        facts = {"spans": spans, "handovers": excused.handovers, "told": told_spans(ledger), "gaps": gaps}
        (keep / "evidence.json").write_bytes(msgspec.json.encode(facts))
        shutil.copy(ledger, keep)
        shutil.copytree(stack.state_dir / "logs", keep / "logs", dirs_exist_ok=True)
    agreement, disagreements = _compare(never_told(ledger, spans), judged, excused)
    problems += disagreements
    total = sum(count for _, _, count in tables.values())
    restarts = sum(gap.cause == "restart" for gap in gaps)
    return Outcome(
        [
            ("trades in PostgreSQL", f"{total:,}"),
            ("each id once and in order", "in both topics and the table" if not problems else "no"),
            ("gaps found and filled", f"{len(gaps):,}, of which {restarts} after a restart"),
            ("ids in them", f"{sum(gap.last - gap.first + 1 for gap in gaps):,}"),
            *agreement,
            ("late trades", str(sum(story.late for story in frames.values()))),
            ("holes in band", str(holes)),
        ],
        problems,
    )


def _begun(stories: dict[str, Story], spans: dict[str, tuple[int, int]]) -> dict[str, int]:
    """From which id on a symbol's stream is judged: what came before its first connection is its beginning."""
    return {symbol: int(stories[symbol].ids[0]) for symbol in spans}


def _joined(gaps: list[GapRow]) -> list[GapRow]:
    """Rows side by side as one: what REST had told ahead of a stream that was then cut, and what was missed behind it."""
    found: list[GapRow] = []
    for gap in sorted(gaps, key=lambda one: (one.symbol, one.first)):
        if found and found[-1].symbol == gap.symbol and found[-1].last + 1 == gap.first:
            before = found.pop()
            cause = "restart" if "restart" in (before.cause, gap.cause) else gap.cause
            gap = replace(before, last=gap.last, cause=cause)
        found.append(gap)
    return found


@dataclass(frozen=True, slots=True)
class Excused:
    """Why a gap of ours need not be one of the venue's, and the other way round. `handovers`: the last published id of each
    process that was killed, by symbol. `on_the_way`: gaps that end where a connection was cut."""

    begun: dict[str, int]
    handovers: dict[str, set[int]]
    on_the_way: list[GapRow]

    def killed_before(self, gap: GapRow) -> bool:
        """It begins where a killed process had stopped: told to it, and not published yet."""
        return gap.first - 1 in self.handovers[gap.symbol]


def _compare(
    missing: dict[str, list[tuple[int, int]]], gaps: list[GapRow], excused: Excused
) -> tuple[list[tuple[str, str]], list[str]]:
    """The simulator's own log against our rows: what it told nobody must lie in gaps of ours, except what REST had told ahead of
    the stream to a process that published it and was killed; a gap of ours that the venue knows nothing of can only be what a
    killed process had been told and had not published yet, or what a cut connection had not delivered."""
    problems, matched = [], set[GapRow]()
    intervals = ahead = 0
    for symbol, spans in missing.items():
        for first, last in spans[1:] if spans and spans[0][0] == excused.begun[symbol] else spans:
            intervals += 1
            around = [gap for gap in gaps if gap.symbol == symbol and gap.first <= last and gap.last >= first]
            matched.update(around)
            for begin, end in uncovered((first, last), [(gap.first, gap.last) for gap in around]):
                ahead += end - begin + 1
                if end not in excused.handovers[symbol]:
                    problems.append(f"{symbol}: the venue told nobody of {begin} to {end}; our gaps there are {around}")
    only_ours = [gap for gap in gaps if gap not in matched]
    killed = [gap for gap in only_ours if excused.killed_before(gap)]
    cut = [gap for gap in only_ours if gap in excused.on_the_way and gap not in killed]
    problems += [
        f"a gap that the venue knows nothing of: {gap}" for gap in only_ours if gap not in killed and gap not in cut
    ]
    return [
        ("spans that the venue told nobody", f"{intervals:,}, all of them in {len(matched):,} gaps of ours"),
        ("told to a process that was killed before it published", f"{len(killed)} gaps"),
        ("told on a connection that was cut before they arrived", f"{len(cut)} gaps"),
        ("told by REST first, published, and then killed", f"{ahead} ids"),
    ], problems


def uncovered(span: tuple[int, int], parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a span no part has, as spans."""
    found, position = [], span[0]
    for first, last in sorted(parts):
        if first > position:
            found.append((position, first - 1))
        position = max(position, last + 1)
    return [*found, (position, span[1])] if position <= span[1] else found


def main() -> int:
    """Run it and print what was found; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("trades", "cuts", "kills", "symbols", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan(), name))
    parser.add_argument("--speed", type=float, default=Plan().speed)
    parser.add_argument("--keep", type=Path, help="A folder for what was judged, the simulator's ledger and the logs")
    chosen = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="perpstream-cuts-") as folder:
        outcome = run(chosen, Path(folder))
    table = Table(title=f"{chosen.cuts} cuts of 1 to 120 s, {chosen.kills} kills, {chosen.symbols} symbols")
    table.add_column("what")
    table.add_column("seen", justify="right")
    for row in outcome.rows:
        table.add_row(*row)
    Console().print(table)
    for problem in outcome.problems[:20]:
        Console().print(f"wrong: {problem}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
