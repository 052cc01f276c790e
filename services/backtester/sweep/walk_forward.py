"""Walk-forward: the best of each training window is traded in the window after it, which had no say in choosing it."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from libs.kit.durations import DAY_MS
from services.backtester.request import RequestInvalid
from services.backtester.result import EquityCurve, RunFacts
from services.backtester.sweep.data import SweepData
from services.backtester.sweep.request import SweepPlan
from services.backtester.sweep.results import PartStore, Row
from services.backtester.sweep.search import PART, Numbered, Search, Watcher, merit, parts, point_of, ranked
from services.backtester.sweep.space import Space
from services.backtester.sweep.trial import Arena, Figures, Trial, curve_figures, trade_figures
from services.backtester.sweep.workers import workers

SCHEMA = "backtest_walk_forward/1"
MOST_WINDOWS = 1_000


class Window(msgspec.Struct, frozen=True):
    """Training on [train_ms, test_ms), testing on [test_ms, end_ms)."""

    train_ms: int
    test_ms: int
    end_ms: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One window: the chosen configuration, what it earned where it was chosen (None: nothing could be chosen) and afterwards.

    `place`: share of the other configurations that did worse in the test than the chosen one, equal ones by half; 0.5 is what
    choosing by lot gives.
    """

    window: Window
    chosen: dict[str, Any] | None
    in_sample: Figures | None
    out_of_sample: Figures | None
    place: float | None


class WalkForward(msgspec.Struct, frozen=True, kw_only=True):
    """All windows. `combined`: the figures of the test windows one after the other, each chosen in its own training window;
    `efficiency`: mean of the figure a day out of sample over that in sample, where in sample is above 0."""

    schema: str
    digest: str
    facts: RunFacts
    parameters: tuple[str, ...]
    figure: str
    anchored: bool
    configurations: int
    steps: tuple[Step, ...]
    combined: dict[str, float | None]
    efficiency: float | None
    curve_ms: tuple[int, ...]
    curve: tuple[float, ...]


def windows(start_ms: int, end_ms: int, plan: SweepPlan) -> list[Window]:
    """Test windows one after the other, each right behind its training; the last may be shorter, by half at the most.

    Raises `RequestInvalid` when not one fits.
    """
    train_ms, test_ms = round(plan.train_days * DAY_MS), round(plan.test_days * DAY_MS)
    found: list[Window] = []
    edge_ms = start_ms + train_ms
    while edge_ms + test_ms // 2 <= end_ms and len(found) < MOST_WINDOWS and edge_ms < end_ms:
        begun_ms = start_ms if plan.anchored else edge_ms - train_ms
        found.append(Window(begun_ms, edge_ms, min(end_ms, edge_ms + test_ms)))
        edge_ms += test_ms
    if not found:
        raise RequestInvalid(
            f"{(end_ms - start_ms) / DAY_MS:g} days hold no {plan.train_days:g} of training and {plan.test_days:g} of test",
            where="walk-forward",
            todo="name a longer range, or shorter windows",
        )
    return found


@dataclass(frozen=True, slots=True)
class WalkForwardRun:
    """A walk over data. Windows share nothing but the cooldowns that the engine would remember at their start."""

    data: SweepData
    space: Space
    plan: SweepPlan
    watcher: Watcher

    def run(self, folder: Path) -> WalkForward:
        """Try every configuration in every training and test window. Raises `RequestInvalid` for the optimiser, which learns."""
        if self.plan.method == "optuna":
            raise RequestInvalid(
                "walk-forward takes a grid or random points", where="method", todo="use --method random"
            )
        facts = self.data.facts
        found = windows(facts.start_ms, facts.end_ms, self.plan)
        size = Search(Arena.of(self.data), self.space, self.plan, self.watcher).size
        self.watcher.expect(2 * size * len(found))
        store = PartStore.open(folder, self.digest(), {"windows": len(found), "parameters": sorted(self.space.axes)})
        steps, tests = [], []
        for number, window in enumerate(found):
            self.watcher.phase(f"window {number + 1} of {len(found)}")
            train = self._search(window.train_ms, window.test_ms)
            test = self._search(window.test_ms, window.end_ms)
            step, trial = self._step(
                window, _rows(train, store, f"{number:04}-train"), test, store, f"{number:04}-test"
            )
            steps.append(step)
            tests.append(trial)
        return self._told(size, steps, tests)

    def digest(self) -> str:
        """What tells two walks apart."""
        plan = self.plan
        axes = {name: axis.model_dump_json() for name, axis in self.space.axes.items()}
        lengths = plan.train_days, plan.test_days, plan.anchored
        told = (self.data.digest(), self.space.definition, axes, plan.method, plan.seed, lengths)
        return blake2b(repr(told).encode(), digest_size=16).hexdigest()

    def _search(self, start_ms: int, end_ms: int) -> Search:
        return Search(Arena.of(self.data.within(start_ms, end_ms)), self.space, self.plan, self.watcher)

    def _step(
        self, window: Window, trained: list[Row], test: Search, store: PartStore, name: str
    ) -> tuple[Step, Trial | None]:
        figure = self.plan.figure
        tested = _rows(test, store, name)
        best = ranked(trained, figure)
        if not best:
            return Step(window=window, chosen=None, in_sample=None, out_of_sample=None, place=None), None
        number = int(best[0]["number"])
        point = point_of(self.space, best[0])
        strategy = self.space.strategy(point)
        assert strategy is not None, "it was traded"
        trial = test.arena.trials([strategy])[0]
        outside = test.arena.figures(trial)
        place = place_of(number, tested, figure)
        inside = {name: best[0][name] for name in outside}
        return Step(window=window, chosen=point, in_sample=inside, out_of_sample=outside, place=place), trial

    def _told(self, size: int, steps: Sequence[Step], tests: Sequence[Trial | None]) -> WalkForward:
        """`tests`: of each step, None where nothing could be chosen."""
        curve = _combined_curve(self.data.facts, steps, tests)
        return WalkForward(
            schema=SCHEMA,
            digest=self.digest(),
            facts=self.data.facts,
            parameters=tuple(self.space.axes),
            figure=self.plan.figure,
            anchored=self.plan.anchored,
            configurations=size,
            steps=tuple(steps),
            combined=_combined(self.data.facts, curve, steps, tests),
            efficiency=_efficiency(steps, self.plan.figure),
            curve_ms=tuple(curve.time_ms.tolist()),
            curve=tuple(curve.equity.tolist()),
        )


def place_of(number: int, tested: Sequence[Row], figure: str) -> float | None:
    """The share of the other configurations that did worse than this one, equal ones by half, so that choosing among equals is
    worth what a lot is; None where its figure or all others' are not known."""
    merits = {int(row["number"]): value for row in tested if (value := merit(row, figure)) is not None}
    mine = merits.pop(number, None)
    if mine is None or not merits:
        return None
    return sum((value < mine) + (value == mine) / 2 for value in merits.values()) / len(merits)


def _rows(search: Search, store: PartStore, name: str) -> list[Row]:
    """All configurations in a window, from disk where they are there already."""
    done = store.done()
    jobs = [(begin, end, f"{name}-{begin:07}-{end:07}") for begin, end in parts(search.size, PART)]
    missing = [job for job in jobs if job[2] not in done]
    search.watcher.tried(sum(end - begin for begin, end, name in jobs if name in done))
    if missing:
        asked: list[Numbered] = [[(n, search.point(n)) for n in range(begin, end)] for begin, end, _ in missing]
        with workers(search.rows, min(len(missing), search.plan.workers or os.cpu_count() or 1)) as pool:
            for place, rows in pool.answers(asked):
                store.write(missing[place][2], rows)
                search.watcher.tried(len(rows))
    return [row for _, _, name in jobs for row in store.read(name)]


def _combined_curve(facts: RunFacts, steps: Sequence[Step], tests: Sequence[Trial | None]) -> EquityCurve:
    """The accounts of the test windows, each beginning with what the one before it ended with; flat where nothing was chosen."""
    parts = []
    gained = 0.0
    for step, trial in zip(steps, tests, strict=True):
        curve = _flat(step.window, facts.starting_balance) if trial is None else trial.curve
        parts.append(replace(curve, equity=curve.equity + gained))
        if len(curve.equity):
            gained += float(curve.equity[-1]) - facts.starting_balance
    return EquityCurve(
        _whole([part.time_ms for part in parts]),
        _real([part.equity for part in parts]),
        _whole([part.open_positions for part in parts]),
        _real([part.exposure for part in parts]),
    )


def _flat(window: Window, balance: float) -> EquityCurve:
    """The account of a test window in which nothing was traded."""
    times = np.array([window.test_ms, window.end_ms], np.int64)
    return EquityCurve(times, np.full(2, balance), np.zeros(2, np.int64), np.zeros(2))


def _combined(
    facts: RunFacts, curve: EquityCurve, steps: Sequence[Step], tests: Sequence[Trial | None]
) -> dict[str, float | None]:
    """Figures over all test windows, those in which nothing was chosen among them: not to trade is a result as well."""
    traded = [trial for trial in tests if trial is not None]
    if not traded:
        return {}
    span = msgspec.structs.replace(facts, start_ms=steps[0].window.test_ms, end_ms=steps[-1].window.end_ms)
    net, risk = (np.concatenate([getattr(trial, name) for trial in traded]) for name in ("net", "risk"))
    return trade_figures(net, risk) | curve_figures(curve, span)


def _efficiency(steps: Sequence[Step], figure: str) -> float | None:
    """Only of figures that grow with time; a ratio needs no day."""
    shares = []
    for step in steps:
        inside = step.in_sample[figure] if step.in_sample else None
        outside = step.out_of_sample[figure] if step.out_of_sample else None
        if inside is None or outside is None or inside <= 0 or figure == "drawdown":
            continue
        window = step.window
        days = (window.test_ms - window.train_ms) / (window.end_ms - window.test_ms)
        shares.append(outside / inside * (days if figure in ("net", "net_r") else 1.0))
    return statistics.fmean(shares) if shares else None


def _whole(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _real(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *parts])
