"""Where the second stop stands: it loses nothing, it is on a tick, and the tape's rule is the same as everybody's."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.trading.break_even import Direction, RoundTrip, break_even_price
from libs.trading.execution.protection import first_part
from libs.trading.filter_rows import symbol_row
from libs.trading.filters import SymbolFilters
from libs.trading.machine import layout as at
from libs.trading.machine.lifecycle import break_even_price as on_the_tape
from libs.trading.machine.sizing import first_part as on_the_tape_split

D = Decimal
TAKER = RoundTrip(D("0.0005"), D("0.0005"))
TICK = D("0.1")
sides: st.SearchStrategy[Direction] = st.sampled_from(("long", "short"))
rates = st.integers(0, 1_000_000).map(lambda rate: D(rate).scaleb(-8))


@pytest.mark.parametrize(
    ("direction", "entry", "target", "expected"),
    [
        ("long", "100", "102", "100.2"),  # 100 * 1.0005 / 0.9995 = 100.10005
        ("short", "100", "98", "99.9"),  # 100 * 0.9995 / 1.0005 = 99.90005
        ("long", "60000.1", "61000", "60060.2"),  # 60060.13013...
        ("long", "100", "100.1", "100.0"),  # a tick before a target that does not pay for the fees
        ("short", "100", "99.9", "100.0"),
        ("long", "103", "102", "101.9"),  # an entry that landed beyond its target
    ],
)
def test_by_hand(direction: Direction, entry: str, target: str, expected: str) -> None:
    assert break_even_price(direction, D(entry), TAKER, TICK, D(target)) == D(expected)


def test_without_costs_it_is_the_entry_on_its_safe_tick() -> None:
    free = RoundTrip(D(0), D(0))
    assert break_even_price("long", D("100.0"), free, TICK, D(110)) == D("100.0")
    assert break_even_price("long", D("100.01"), free, TICK, D(110)) == D("100.1")
    assert break_even_price("short", D("100.09"), free, TICK, D(90)) == D("100.0")


@given(sides, st.integers(1, 10**12), rates, rates, st.sampled_from(("0.1", "0.5", "0.00001", "1")))
def test_an_exit_there_pays_for_both_fees_and_one_a_tick_sooner_does_not(
    direction: Direction, entry: int, entry_fee: Decimal, exit_fee: Decimal, tick: str
) -> None:
    sign, price = (1 if direction == "long" else -1), D(entry).scaleb(-5)
    far = D(10**9) if sign > 0 else -D(tick)
    level = break_even_price(direction, price, RoundTrip(entry_fee, exit_fee), D(tick), far)

    def net(leave: Decimal) -> Decimal:
        return sign * (leave - price) - price * entry_fee - leave * exit_fee

    assert level % D(tick) == 0
    if level > 0:
        assert net(level) >= 0
    assert net(level - sign * D(tick)) < 0


@settings(deadline=None)  # the first call compiles
@given(sides, st.integers(1, 10**13), st.integers(0, 1_000_000), st.sampled_from((1, 5, 10)), st.integers(-400, 400))
def test_the_tape_has_the_same_rule(direction: Direction, entry: int, taker: int, tick: int, away: int) -> None:
    side = 1 if direction == "long" else -1
    filters = SymbolFilters("BTCUSDT", D(tick).scaleb(-2), D("0.001"))
    symbol, position = symbol_row("BTCUSDT", (2, 3), filters), np.zeros(at.POSITION_COLUMNS, np.int64)
    target = (entry // 1_000 // tick + side * away) * tick
    position[at.SIDE], position[at.TARGET_1] = side, target
    position[at.FIRST_FILL + at.FILL_PRICE] = entry
    rate = D(taker).scaleb(-8)
    expected = break_even_price(
        direction, D(entry).scaleb(-5), RoundTrip(rate, rate), filters.tick, D(target).scaleb(-2)
    )
    assert D(int(on_the_tape(position, symbol, taker))).scaleb(-2) == expected


@settings(deadline=None)  # the first call compiles
@given(st.integers(1, 10**9), st.integers(1, 1_000), st.integers(0, 10**6))
def test_live_orders_split_a_position_as_the_tape_does(quantity: int, step: int, least: int) -> None:
    filters = SymbolFilters("BTCUSDT", TICK, D(step).scaleb(-3), min_quantity=D(least).scaleb(-3))
    split = first_part(D(quantity).scaleb(-3), filters)
    assert split.scaleb(3) == on_the_tape_split(symbol_row("BTCUSDT", (1, 3), filters), quantity)
