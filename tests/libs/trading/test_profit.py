"""What fills have made: by hand, in any number of parts, and the same as the simulator's own account says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.outcome import profit_of_fills
from libs.trading.profit import Direction, Profit, Traded, profit_of
from tests.libs.trading.test_simulation_properties import Draw, draws, few, random_scene

D = Decimal
amounts = st.integers(1, 10_000_000).map(lambda value: D(value).scaleb(-3))
fees = st.integers(-1_000, 1_000).map(lambda value: D(value).scaleb(-4))
fills = st.lists(st.builds(Traded, st.booleans(), amounts, amounts, fees), max_size=12)


def into(price: str, quantity: str, fee: str = "0") -> Traded:
    return Traded(True, D(price), D(quantity), D(fee))


def out(price: str, quantity: str, fee: str = "0") -> Traded:
    return Traded(False, D(price), D(quantity), D(fee))


@pytest.mark.parametrize(("direction", "gross"), [("long", "55"), ("short", "-55")])
def test_two_entries_and_two_exits(direction: Direction, gross: str) -> None:
    # 10 at 100 and 30 at 102: 101.5 on average. Out go 20 at 103 and 20 at 102.75.
    found = profit_of(
        direction,
        [into("100", "10", "0.5"), into("102", "30", "1.5"), out("103", "20", "0.4"), out("102.75", "20", "-0.1")],
        D("0.7"),
    )
    assert (found.entry_average, found.exit_average) == (D("101.5"), D("102.875"))
    assert (found.gross, found.fees, found.funding) == (D(gross), D("2.3"), D("0.7"))
    assert found.net == D(gross) - 3
    assert (found.entered, found.left) == (D(40), D(0))


def test_what_is_still_open_has_no_gross_but_its_fee() -> None:
    found = profit_of("long", [into("100", "2", "0.1"), out("110", "0.5", "0.03")], D(0))
    assert (found.gross, found.net, found.left) == (D(5), D("4.87"), D("1.5"))
    assert profit_of("short", [], D(0)) == Profit(D(0), D(0), D(0), D(0), D(0), D(0), None, None)


@given(fills, st.sampled_from(("long", "short")), fees)
def test_net_is_gross_less_costs_and_the_other_direction_makes_the_opposite(
    traded: list[Traded], direction: Direction, funding: Decimal
) -> None:
    found = profit_of(direction, traded, funding)
    other = profit_of("short" if direction == "long" else "long", traded, funding)
    assert found.net == found.gross - found.fees - found.funding
    assert other.gross == -found.gross
    assert found.left == sum((fill.quantity if fill.is_entry else -fill.quantity for fill in traded), D(0))


@given(fills)
def test_the_order_of_fills_changes_nothing(traded: list[Traded]) -> None:
    assert profit_of("long", traded, D(0)) == profit_of("long", sorted(traded, key=str), D(0))


@few
@given(draws)
def test_a_paper_position_makes_what_a_live_one_would(draw: Draw) -> None:
    outcomes = random_scene(draw).play().outcomes
    assert outcomes
    for each in outcomes:
        found = profit_of_fills(each.direction, (each.entry, *each.exits), each.funding)
        assert found.net == each.net
        assert (found.gross, found.fees) == (each.gross - each.slippage, each.fees)
        assert (found.entry_average, found.left) == (each.entry.price, D(0))
