"""What a finished sweep says: the best, whether its neighbours agree, and how much of it may be luck."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from services.backtester.metrics.figure import Figure
from services.backtester.metrics.luck import deflated_sharpe
from services.backtester.result import RunFacts
from services.backtester.sweep.results import Row, replace_file, write_table
from services.backtester.sweep.search import Search, point_of, ranked
from services.backtester.sweep.stability import neighbours
from services.backtester.sweep.trial import a_day

TOP = 20
SCHEMA = "backtest_sweep/1"


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the best, with the median of its neighbours' figure (None: it has none) and how many they are."""

    row: dict[str, Any]
    neighbours: int
    neighbours_median: float | None


class SweepSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`tried`: configurations that could be tried; `impossible`: those whose values contradict each other. `luck_free`: the
    probability that the best one's true Sharpe ratio is above what the best of so many without skill would show."""

    schema: str
    digest: str
    facts: RunFacts
    parameters: tuple[str, ...]
    method: str
    seed: int
    figure: str
    tried: int
    impossible: int
    median: float | None
    top: tuple[Top, ...]
    luck_free: Figure
    definition: dict[str, Any] | None


def summarise(search: Search, rows: Sequence[Row]) -> SweepSummary:
    """A pure function of the search and its rows."""
    plan, space = search.plan, search.space
    best = ranked(rows, plan.figure)
    valid = [row for row in rows if row["valid"]]
    tops = []
    for row in best[:TOP]:
        near = neighbours(space, best, row, plan.figure)
        tops.append(Top(row=row, neighbours=near.count, neighbours_median=near.median))
    return SweepSummary(
        schema=SCHEMA,
        digest=search.digest,
        facts=msgspec.structs.replace(search.arena.data.facts, configurations=max(1, len(valid))),
        parameters=tuple(space.axes),
        method=plan.method,
        seed=plan.seed,
        figure=plan.figure,
        tried=len(valid),
        impossible=len(rows) - len(valid),
        median=statistics.median(row[plan.figure] for row in best) if best else None,
        top=tuple(tops),
        luck_free=_luck_free(search, best, valid),
        definition=space.changed(point_of(space, best[0])) if best else None,
    )


def write_summary(summary: SweepSummary, rows: Sequence[Row], folder: Path) -> None:
    """results.parquet, sweep.json, and best.json: the best configuration as a strategy file."""
    write_table(folder / "results.parquet", rows)
    encoded = msgspec.json.format(msgspec.json.encode(summary, order="deterministic"), indent=1)
    replace_file(folder / "sweep.json", encoded + b"\n")
    if summary.definition is not None:
        replace_file(folder / "best.json", json.dumps(summary.definition, indent=2).encode() + b"\n")


def _luck_free(search: Search, best: Sequence[Row], valid: Sequence[Row]) -> Figure:
    """The deflated Sharpe ratio of the best, with the variance of the daily Sharpe ratios that were really tried."""
    if not best:
        return Figure(value=None, reason="no configuration has this figure")
    strategy = search.space.strategy(point_of(search.space, best[0]))
    assert strategy is not None, "it has a figure"
    returns = search.arena.daily(search.arena.trials([strategy])[0])
    ratios = [a_day(row["sharpe"]) for row in valid if row["sharpe"] is not None]
    variance = statistics.variance(ratios) if len(ratios) > 1 else None
    return deflated_sharpe(returns, len(valid), variance)
