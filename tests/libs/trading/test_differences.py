"""What an edit changes is said field by field, and what says the same is no difference."""

import json
from typing import Any

import pytest

from libs.trading.differences import Difference, differences
from libs.trading.strategy import Strategy, read_strategy
from tests.libs.trading.test_scoring import FOLDER, strategy

V52: dict[str, Any] = json.loads((FOLDER / "v52.json").read_text())


def with_factors(**changes: Any) -> Strategy:
    """v52 with other factors; None takes one out. The weight that moves is taken from cvd_momentum."""
    factors = {name: use for name, use in (V52["factors"] | changes).items() if use is not None}
    return strategy("v52", factors=factors)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 47.5}, ["threshold 45 -> 47.5"]),
        ({"version": 3, "threshold": 50}, ["version 2 -> 3", "threshold 45 -> 50"]),
        ({"symbols": ["BTCUSDT", "ETHUSDT"]}, ["symbols * -> BTCUSDT, ETHUSDT"]),
        (
            {"direction": {"allow": "long"}},
            ["direction.allow both -> long", "direction.confirmed_by cvd_momentum -> none"],
        ),
        ({"enabled": False}, ["enabled yes -> no"]),
        ({"description": ""}, [f"description {V52['description']} -> nothing"]),
    ],
)
def test_each_field_has_its_line(changes: dict[str, Any], said: list[str]) -> None:
    assert [str(item) for item in differences(strategy("v52"), strategy("v52", **changes))] == said


def test_weights_come_and_go_with_their_factor() -> None:
    before = strategy("v52")
    heavier = with_factors(basis={"weight": 0.05}, cvd_momentum={"weight": 0.33, "when_missing": "refuse"})
    assert [str(item) for item in differences(before, heavier)] == [
        "factors.cvd_momentum.weight 0.35 -> 0.33",
        "factors.basis.weight 0.03 -> 0.05",
    ]
    without = with_factors(basis=None, cvd_momentum={"weight": 0.38, "when_missing": "refuse"})
    assert [str(item) for item in differences(before, without)] == [
        "factors.cvd_momentum.weight 0.35 -> 0.38",
        "factors.basis removed: weight 0.03, when_missing omit",
    ]
    assert differences(without, before)[1] == Difference(
        "factors.basis", None, {"weight": 0.03, "when_missing": "omit"}
    )
    assert str(differences(without, before)[1]) == "factors.basis added: weight 0.03, when_missing omit"


def test_spacing_order_and_defaults_are_no_difference() -> None:
    backwards = dict(reversed(V52.items())) | {"threshold": 45.0}
    del backwards["min_coverage"]
    assert differences(strategy("v52"), read_strategy(json.dumps(backwards, indent=7), "v52")) == ()
