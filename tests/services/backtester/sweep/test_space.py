"""Spaces: files in, points out, and strategies that stay strategies."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import UserError
from services.backtester.sweep.points import grid_point, grid_size, random_point
from services.backtester.sweep.space import Axis, SpaceInvalid, read_space, with_marks
from tests.services.backtester.sweep.markets import base, space

TOML = """
[parameters]
threshold = { low = 20, high = 30, step = 2.5 }
cooldown_seconds = [300, 600]
factors.vwap_distance.weight = { low = 0.1, high = 0.5 }
"bracket.stop_loss_atr" = { low = 0.5, high = 4, log = true }
"""


def read(tmp_path: Path, text: str, name: str = "space.toml") -> object:
    path = tmp_path / name
    path.write_text(text)
    return read_space(path, base())


def test_a_file_names_paths_nested_or_dotted(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(TOML)
    found = read_space(path, base())
    assert list(found.axes) == [
        "bracket.stop_loss_atr",
        "cooldown_seconds",
        "factors.vwap_distance.weight",
        "threshold",
    ]
    assert found.axes["threshold"].listed() == (20, 22.5, 25, 27.5, 30)
    path = tmp_path / "space.json"
    path.write_text(json.dumps({"parameters": {"threshold": [20, 40]}}))
    assert grid_size(read_space(path, base())) == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("threshold = [1", "cannot be read"),
        ("threshold = [20]", "no table of parameters"),
        ("[parameters]\nthresholds = [20]", "no parameter thresholds"),
        ("[parameters]\nfactors.basis.weight = [0.2]", "no parameter factors.basis.weight"),
        ("[parameters]\nthreshold = [-5, 101]", "threshold: must be"),
        ("[parameters]\ncooldown_seconds = { low = 10, high = 20, step = 2.5 }", "cooldown_seconds is a whole number"),
        ("[parameters]\nthreshold = { low = 3 }", "low and high"),
        ("[parameters]\nthreshold = { low = 30, high = 20 }", "low must be below high"),
        ("[parameters]\nthreshold = { low = 0, high = 20, log = true }", "log needs a low above 0"),
        ("[parameters]\nthreshold = { low = 1, high = 20, values = [2] }", "not both"),
    ],
)
def test_what_cannot_be_tried_is_one_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(SpaceInvalid) as problem:
        read(tmp_path, text)
    assert what.lower() in str(problem.value).lower()


def test_a_grid_runs_through_all_combinations() -> None:
    given_space = space(threshold=Axis(values=(20, 30, 40)), cooldown_seconds=Axis(values=(0, 60)))
    points = [grid_point(given_space, number) for number in range(grid_size(given_space))]
    assert [(point["cooldown_seconds"], point["threshold"]) for point in points] == [
        (cooldown, threshold) for cooldown in (0, 60) for threshold in (20, 30, 40)
    ]
    with pytest.raises(UserError, match="a grid needs steps: threshold"):
        grid_size(space(threshold=Axis(low=1, high=2)))


@given(st.integers(0, 2**31), st.integers(0, 10_000), st.floats(0.01, 1), st.floats(0.01, 1))
def test_drawn_points_are_strategies_whose_votes_add_up(seed: int, number: int, one: float, other: float) -> None:
    low, high = sorted((one, other + 1))
    given_space = space(
        factors__vwap_distance__weight=Axis(low=low, high=high),
        hold_minutes=Axis(low=1, high=200),
        bracket__stop_loss_atr=Axis(low=0.1, high=20, log=True),
    )
    point = random_point(given_space, seed, number)
    assert point == random_point(given_space, seed, number)
    strategy = given_space.strategy(point)
    assert strategy is not None
    votes = [use.weight for name, use in strategy.factors.items() if name != "atr_regime"]
    assert sum(votes) == pytest.approx(1, abs=1e-12)
    others = strategy.factors["cvd_momentum"].weight / strategy.factors["large_trade_flow"].weight
    assert others == pytest.approx(2.5)
    assert 0.1 <= strategy.bracket.stop_loss_atr <= 20
    told = given_space.as_tried(point)
    assert told == point | {"hold_minutes": strategy.hold_minutes}
    assert given_space.strategy(told) == strategy


def test_a_point_that_contradicts_itself_is_no_strategy() -> None:
    assert space().strategy({"bracket.take_profit_1_atr": 5.0}) is None


def test_how_a_bracket_works_can_be_searched_too(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "[parameters]\nbracket.trailing_atr = { low = 0.5, high = 2, step = 0.5 }\n"
        'bracket.take_profit_type = ["limit", "market"]\nbracket.on_opposite_signal = ["ignore", "close"]\n'
    )
    found = read_space(path, base())
    brackets = [found.strategy(grid_point(found, number)) for number in range(grid_size(found))]
    tried = [(each.bracket.trailing_atr, each.bracket.take_profit_type) for each in brackets if each is not None]
    assert len(tried) == 16
    assert (1.5, "market") in tried
    path.write_text('[parameters]\nbracket.working_type = ["last", "mark"]\n')
    assert with_marks(base(), read_space(path, base())).bracket.working_type == "mark"
    path.write_text('[parameters]\nbracket.working_type = ["index"]\n')
    with pytest.raises(SpaceInvalid, match="must be 'last' or 'mark'"):
        read_space(path, base())
