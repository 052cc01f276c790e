"""Walk-forward: windows, the choice of the past alone, and the curve of what follows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from libs.kit.durations import DAY_MS
from libs.kit.errors import UserError
from libs.trading.machine import rescoring as machine
from services.backtester.sweep.results import PARTS
from services.backtester.sweep.search import Search
from services.backtester.sweep.space import Axis
from services.backtester.sweep.trial import Arena
from services.backtester.sweep.walk_forward import WalkForwardRun, Window, place_of, windows
from services.backtester.sweep.walk_page import walk_page, walk_words
from tests.fakes.progress import Unwatched
from tests.services.backtester.sweep.markets import collected, plan, small, space

DAYS = {"train_days": 0.5, "test_days": 0.5}


def test_rolling_and_anchored_windows() -> None:
    day = DAY_MS
    assert windows(0, 10 * day, plan(train_days=4, test_days=2)) == [
        Window(0, 4 * day, 6 * day),
        Window(2 * day, 6 * day, 8 * day),
        Window(4 * day, 8 * day, 10 * day),
    ]
    assert [each.train_ms for each in windows(0, 10 * day, plan(train_days=4, test_days=2, anchored=True))] == [0, 0, 0]
    assert windows(0, 5 * day - 1, plan(train_days=2, test_days=2)) == [Window(0, 2 * day, 4 * day)]
    assert windows(0, 5 * day, plan(train_days=2, test_days=2))[-1] == Window(2 * day, 4 * day, 5 * day)
    with pytest.raises(UserError, match="hold no 7 of training"):
        windows(0, 7 * day, plan(train_days=7, test_days=1))


def test_each_window_chooses_by_its_past_and_is_judged_by_what_follows(tmp_path: Path) -> None:
    data = collected().data
    walk = WalkForwardRun(data, small(), plan(**DAYS), Unwatched()).run(tmp_path)
    assert len(walk.steps) == 3
    for step in walk.steps:
        window = step.window
        train = Search(Arena.of(data.within(window.train_ms, window.test_ms)), small(), plan(), Unwatched())
        rows = [row for row in train.rows([(n, train.point(n)) for n in range(6)]) if row["valid"]]
        assert step.in_sample is not None
        assert step.out_of_sample is not None
        assert step.in_sample["net_r"] == max(row["net_r"] for row in rows)
        assert step.chosen is not None
        assert step.place is not None
        strategy = small().strategy(step.chosen)
        assert strategy is not None
        test = Arena.of(data.within(window.test_ms, window.end_ms))
        assert test.rows([strategy])[0] == step.out_of_sample
    outside = [step.out_of_sample for step in walk.steps if step.out_of_sample]
    assert walk.combined["trades"] == sum(each["trades"] or 0 for each in outside)
    assert walk.combined["net"] == pytest.approx(sum(each["net"] or 0 for each in outside))
    assert walk.curve[-1] == pytest.approx(10_000 + (walk.combined["net"] or 0))
    assert bool(np.all(np.diff(walk.curve_ms) >= 0))


def test_an_interrupted_walk_goes_on_and_processes_change_nothing(tmp_path: Path) -> None:
    data = collected().data
    whole = WalkForwardRun(data, small(), plan(**DAYS), Unwatched()).run(tmp_path / "whole")
    folder = tmp_path / "broken"
    WalkForwardRun(data, small(), plan(**DAYS, workers=2), Unwatched()).run(folder)
    sorted((folder / PARTS).iterdir())[2].unlink()
    assert WalkForwardRun(data, small(), plan(**DAYS, workers=2), Unwatched()).run(folder) == whole
    with pytest.raises(UserError, match="another sweep"):
        WalkForwardRun(data, small(), plan(**DAYS, anchored=True), Unwatched()).run(folder)


def test_the_page_says_in_and_out_of_sample(tmp_path: Path) -> None:
    walk = WalkForwardRun(collected().data, small(), plan(**DAYS), Unwatched()).run(tmp_path)
    text = walk_page(walk)
    assert "Out of sample, combined" in text
    assert text.count("<tr>") == 1 + len(walk.steps)
    assert "http" not in text.replace("http://www.w3.org", "").split("<body>")[1].split("<script>")[0]
    assert "over 3 windows" in walk_words(walk)


@pytest.mark.parametrize(
    ("figures", "place"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.0),
        ([5.0, 2.0, 3.0, 4.0, 1.0], 1.0),
        ([0.0, 0.0, 0.0], 0.5),  # nothing traded anywhere: the choice was worth nothing
        ([2.0, 1.0, 2.0, 2.0, 3.0], 0.5),  # one worse, two equal, of four
        ([2.0, None, 1.0], 1.0),
        ([None, 1.0, 2.0], None),
        ([1.0], None),
    ],
)
def test_the_place_is_that_of_the_figure_whatever_was_tried_first(
    figures: list[float | None], place: float | None
) -> None:
    rows = [{"number": number, "net_r": figure} for number, figure in enumerate(figures)]
    assert place_of(0, rows, "net_r") == place
    assert place_of(0, rows[::-1], "net_r") == place


def test_choosing_among_equals_is_worth_nothing(tmp_path: Path) -> None:
    never = space(atr_percentile_band__high=Axis(values=(0.0501, 0.0502, 0.0503)))
    walk = WalkForwardRun(collected().data, never, plan(**DAYS), Unwatched()).run(tmp_path)
    assert [step.place for step in walk.steps] == [0.5] * 3


@pytest.mark.parametrize(("begin", "untraded"), [(0.0, 0), (1.0, 2)])
def test_a_window_in_which_nothing_can_be_chosen_counts_as_flat_wherever_it_is(
    tmp_path: Path, begin: float, untraded: int
) -> None:
    data = collected().data
    opinions, start_ms = data.opinions, data.facts.start_ms + round(begin * DAY_MS)
    silent = (opinions.time_ms >= start_ms) & (opinions.time_ms < start_ms + DAY_MS // 2)
    opinions = replace(opinions, unusable=np.where(silent, machine.COVERAGE, opinions.unusable).astype(np.int8))
    chosen = plan(**DAYS, figure="win_rate")
    walk = WalkForwardRun(replace(data, opinions=opinions), small(), chosen, Unwatched()).run(tmp_path)
    assert [step.chosen is None for step in walk.steps] == [number == untraded for number in range(3)]
    assert (walk.curve_ms[0], walk.curve_ms[-1]) == (walk.steps[0].window.test_ms, walk.steps[-1].window.end_ms)
    assert bool(np.all(np.diff(walk.curve_ms) >= 0))
    assert walk.curve[-1] == pytest.approx(10_000 + (walk.combined["net"] or 0))
    window = walk.steps[untraded].window
    inside = (np.array(walk.curve_ms) > window.test_ms) & (np.array(walk.curve_ms) < window.end_ms)
    assert not inside.any()


def test_the_optimiser_does_not_walk(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="grid or random"):
        WalkForwardRun(collected().data, small(), plan(method="optuna"), Unwatched()).run(tmp_path)
