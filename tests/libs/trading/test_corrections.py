"""Recalculated figures: nothing to correct in what the simulator's own account says, and every figure that is another."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from libs.trading.corrections import Correction, corrections, paper_figures
from libs.trading.outcome import Outcome
from tests.libs.trading.test_simulation_properties import Draw, draws, few, random_scene

FIGURES = ("risk", "gross", "fees", "slippage", "net", "net_r")


def stored(outcome: Outcome) -> dict[str, Any]:
    """Its figures as a row has them."""
    exits = sum(fill.quantity for fill in outcome.exits)
    return {
        "entry_price": outcome.entry.price,
        "exit_price": sum(fill.price * fill.quantity for fill in outcome.exits) / exits,
        **{name: getattr(outcome, name) for name in FIGURES},
    }


def fills_of(outcome: Outcome) -> list[dict[str, str]]:
    names = ("price", "quantity", "fee", "slippage")
    return [{name: str(getattr(fill, name)) for name in names} for fill in (outcome.entry, *outcome.exits)]


@few
@given(draws)
def test_nothing_is_corrected_in_what_the_simulator_says_itself(draw: Draw) -> None:
    outcomes = random_scene(draw).play().outcomes
    assert outcomes
    for each in outcomes:
        assert each.direction != "none"
        right = paper_figures(each.direction, fills_of(each), each.funding, each.stop_loss)
        assert corrections(stored(each), right) == []
        spoiled = stored(each) | {"net": each.net + Decimal("0.0001")}
        assert corrections(spoiled, right) == [Correction("net", spoiled["net"], right["net"])]


@pytest.mark.parametrize("fills", [[], [{"price": "1"}], [{"price": "x"}, {}], [{"price": "1"}, None]])
def test_fills_that_say_nothing_are_no_figures(fills: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"it has no entry|cannot be read"):
        paper_figures("long", fills, Decimal(0), Decimal(1))


def test_what_is_unknown_on_one_side_is_a_correction() -> None:
    assert corrections({"a": None, "b": 1, "c": None}, {"a": Decimal(1), "b": None, "c": None}) == [
        Correction("a", None, Decimal(1)),
        Correction("b", 1, None),
    ]
