"""A search gives the same rows however many processes run it and wherever it was interrupted."""

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from libs.kit.errors import UserError
from services.backtester.sweep.request import SweepPlan
from services.backtester.sweep.results import PARTS, Row
from services.backtester.sweep.search import PART, Search, ranked
from services.backtester.sweep.space import Axis, Space
from services.backtester.sweep.trial import Arena
from services.backtester.sweep.walk_forward import WalkForwardRun
from services.backtester.sweep.workers import WorkerDied, workers
from tests.fakes.progress import Unwatched
from tests.services.backtester.sweep.markets import collected, plan, small, space


class Counted(Unwatched):
    """How many configurations were told as tried."""

    def __init__(self) -> None:
        self.done = 0

    def tried(self, configurations: int) -> None:
        self.done += configurations


def search(given: Space, chosen: SweepPlan) -> Search:
    return Search(Arena.of(collected().data), given, chosen, Unwatched())


def drawn() -> Space:
    return space(
        threshold=Axis(low=15, high=45),
        cooldown_seconds=Axis(low=60, high=3600, log=True),
        factors__vwap_distance__weight=Axis(low=0.05, high=0.6),
    )


def test_a_grid_tries_every_point_and_tells_the_impossible_ones(tmp_path: Path) -> None:
    rows = search(small(), plan()).run(tmp_path)
    assert [row["number"] for row in rows] == list(range(6))
    assert [(row["bracket.take_profit_1_atr"], row["threshold"]) for row in rows] == [
        (near, threshold) for near in (0.5, 1.0, 2.0) for threshold in (20, 30)
    ]
    assert [row["valid"] for row in rows] == [True] * 4 + [False] * 2
    assert all(row["net"] is None for row in rows[4:])
    assert len({row["net"] for row in rows[:4]}) == 4
    assert all(one["signals"] > two["signals"] for one, two in (rows[:2], rows[2:4]))
    best = ranked(rows, "net_r")
    assert len(best) == 4
    assert best[0]["net_r"] == max(row["net_r"] for row in rows[:4])


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_processes_change_nothing(tmp_path: Path, method: str) -> None:
    found = [
        search(drawn(), plan(method=method, count=60 if method == "random" else 20, workers=count)).run(
            tmp_path / str(count)
        )
        for count in (1, 2, 3)
    ]
    assert found[0] == found[1] == found[2]
    assert len({row["threshold"] for row in found[0]}) > 10
    assert all(type(row["cooldown_seconds"]) is int for row in found[0])  # as it was tried, whole


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_an_interrupted_search_goes_on_where_it_was(tmp_path: Path, method: str) -> None:
    chosen = plan(method=method, count=2 * PART + 7 if method == "random" else 40)
    whole = search(drawn(), chosen).run(tmp_path / "whole")
    folder = tmp_path / "broken"
    search(drawn(), chosen).run(folder)
    parts = sorted((folder / PARTS).iterdir())
    parts[-1].unlink()
    (folder / PARTS / "0000000-0000050.4711.part").write_text("half of a part")
    kept = {path: path.stat().st_mtime_ns for path in parts[:-1]}
    assert search(drawn(), chosen).run(folder) == whole
    assert {path: path.stat().st_mtime_ns for path in parts[:-1]} == kept


def test_more_points_later_leave_the_first_as_they_were(tmp_path: Path) -> None:
    few = search(drawn(), plan(method="random", count=5)).run(tmp_path)
    more = search(drawn(), plan(method="random", count=9)).run(tmp_path)
    assert more[:5] == few


def test_another_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    search(small(), plan()).run(tmp_path)
    with pytest.raises(UserError, match="another sweep"):
        search(drawn(), plan(method="random", count=3)).run(tmp_path)


def test_other_data_is_another_sweep() -> None:
    data = collected().data
    half = data.within(data.facts.start_ms, (data.facts.start_ms + data.facts.end_ms) // 2)
    digests = {Search(Arena.of(each), small(), plan(), Unwatched()).digest for each in (data, half, data)}
    assert len(digests) == 2


def test_another_version_of_the_code_is_another_sweep(tmp_path: Path) -> None:
    data = collected().data
    assert data.facts.code_version == collected().result.facts.code_version
    changed = replace(data, facts=msgspec.structs.replace(data.facts, code_version="changed"))
    search(small(), plan()).run(tmp_path / "sweep")
    with pytest.raises(UserError, match="or code"):
        Search(Arena.of(changed), small(), plan(), Unwatched()).run(tmp_path / "sweep")
    walks = [WalkForwardRun(each, small(), plan(), Unwatched()).digest() for each in (data, changed)]
    assert walks[0] != walks[1]


def test_a_worker_that_dies_is_told_and_one_that_fails_says_why() -> None:
    def answer(job: int) -> int:
        if job == 1:
            os._exit(9)
        if job == 2:
            raise ValueError("job 2")
        return job * 10

    with workers(answer, 2) as pool:
        assert sorted(pool.answers([3, 4, 5])) == [(0, 30), (1, 40), (2, 50)]
    with workers(answer, 2) as pool, pytest.raises(ValueError, match="job 2"):
        list(pool.answers([2]))
    with workers(answer, 2) as pool, pytest.raises(WorkerDied):
        list(pool.answers([1]))


def row(number: int, net_r: float | None) -> Row:
    return {"number": number, "net_r": net_r, "drawdown": 0.1 * number}


def test_rows_are_ranked_by_their_figure_and_a_smaller_drawdown_is_better() -> None:
    rows = [row(1, 2.0), row(2, None), row(3, 5.0), row(4, 5.0)]
    assert [each["number"] for each in ranked(rows, "net_r")] == [3, 4, 1]
    assert [each["number"] for each in ranked(rows, "drawdown")] == [1, 2, 3, 4]
