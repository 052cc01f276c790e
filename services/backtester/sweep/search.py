"""The search: which points, in which parts, on all cores; what is done already is taken from disk."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from services.backtester.sweep.optimiser import Optimiser
from services.backtester.sweep.points import grid_point, grid_size, random_point
from services.backtester.sweep.request import SweepPlan
from services.backtester.sweep.results import PartStore, Row
from services.backtester.sweep.space import Point, Space
from services.backtester.sweep.trial import FIGURES, Arena
from services.backtester.sweep.workers import Workers, workers

PART = 50
"""Configurations in a part of the results: what kill -9 loses at the most, a worker."""
BATCH = 16
"""Points that the optimiser proposes at a time, however many cores there are: else the cores would decide what is tried."""
Numbered = list[tuple[int, Point]]


class Watcher(Protocol):
    """Who shows how far a search is."""

    def phase(self, what: str) -> None: ...
    def expect(self, configurations: int) -> None: ...
    def tried(self, configurations: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Search:
    """A space on an arena. `digest` names the data, the space and the plan: equal ones give equal rows."""

    arena: Arena
    space: Space
    plan: SweepPlan
    watcher: Watcher

    @property
    def digest(self) -> str:
        plan = self.plan
        axes = {name: axis.model_dump_json() for name, axis in self.space.axes.items()}
        of_method = (plan.seed, plan.figure if plan.method == "optuna" else "") if plan.method != "grid" else ()
        told = (self.arena.data.digest(), self.space.definition, axes, plan.method, of_method)
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()

    @property
    def size(self) -> int:
        """How many configurations are tried."""
        return grid_size(self.space) if self.plan.method == "grid" else self.plan.count

    def run(self, folder: Path) -> list[Row]:
        """Every row, by number; parts that an earlier run has left are not tried again."""
        about = {"method": self.plan.method, "seed": self.plan.seed, "parameters": sorted(self.space.axes)}
        self.watcher.expect(self.size)
        store = PartStore.open(folder, self.digest, about)
        # Once here, so that workers find the machine code in memory.
        self.rows([(0, self.point(0) if self.plan.method != "optuna" else {})])
        with workers(self.rows, self.plan.workers or os.cpu_count() or 1) as pool:
            found = self._optimised(store, pool) if self.plan.method == "optuna" else self._listed(store, pool)
            return sorted(found, key=lambda row: int(row["number"]))

    def point(self, number: int) -> Point:
        """The point with this number, of a grid or drawn."""
        if self.plan.method == "grid":
            return grid_point(self.space, number)
        return self.space.as_tried(random_point(self.space, self.plan.seed, number))

    def rows(self, points: Numbered) -> list[Row]:
        """A row each; those that contradict themselves are told as invalid."""
        strategies = [self.space.strategy(point) for _, point in points]
        figures = iter(self.arena.rows([each for each in strategies if each is not None]))
        return [
            {"number": number, "valid": strategy is not None}
            | point
            | (next(figures) if strategy is not None else dict.fromkeys(FIGURES))
            for (number, point), strategy in zip(points, strategies, strict=True)
        ]

    def _listed(self, store: PartStore, pool: Workers[Numbered, list[Row]]) -> Iterator[Row]:
        done, jobs = store.done(), parts(self.size, PART)
        for begin, end in jobs:
            if _name(begin, end) in done:
                self.watcher.tried(end - begin)
        missing = [job for job in jobs if _name(*job) not in done]
        asked = [[(number, self.point(number)) for number in range(*job)] for job in missing]
        for place, rows in pool.answers(asked):
            store.write(_name(*missing[place]), rows)
            self.watcher.tried(len(rows))
        for job in jobs:
            yield from store.read(_name(*job))

    def _optimised(self, store: PartStore, pool: Workers[Numbered, list[Row]]) -> Iterator[Row]:
        optimiser, done = Optimiser(self.space, self.plan.seed), store.done()
        for begin, end in parts(self.size, BATCH):
            proposed = [self.space.as_tried(point) for point in optimiser.propose(end - begin)]
            points = list(enumerate(proposed, start=begin))
            if _name(begin, end) in done:
                rows = store.read(_name(begin, end))
            else:
                rows = [row for _, answer in sorted(pool.answers([[each] for each in points])) for row in answer]
                store.write(_name(begin, end), rows)
            optimiser.learn([merit(row, self.plan.figure) for row in rows])
            self.watcher.tried(len(rows))
            yield from rows


def merit(row: Row, figure: str) -> float | None:
    """What makes one row better than another in a figure: the figure, a drawdown turned round; None where it is unknown."""
    value = row[figure]
    return None if value is None else -float(value) if figure == "drawdown" else float(value)


def ranked(rows: Sequence[Row], figure: str) -> list[Row]:
    """The rows whose figure is known, best first; of equal ones the first tried."""
    known = [row for row in rows if merit(row, figure) is not None]
    return sorted(known, key=lambda row: (-(merit(row, figure) or 0.0), row["number"]))


def point_of(space: Space, row: Row) -> Point:
    """The point that a row tells of."""
    return {name: row[name] for name in space.axes}


def parts(size: int, step: int) -> list[tuple[int, int]]:
    """[begin, end) of each part of so many."""
    return [(begin, min(size, begin + step)) for begin in range(0, size, step)]


def _name(begin: int, end: int) -> str:
    return f"{begin:07}-{end:07}"
