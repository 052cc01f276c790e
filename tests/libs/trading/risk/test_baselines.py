"""The day's baselines over deposits, withdrawals, days and restarts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.durations import DAY_MS
from libs.trading.risk.baselines import NO_DAY, Baselines, EquitySeen, MoneyMoved, figures, fold
from libs.trading.risk.inputs import UNKNOWN, Figure
from libs.trading.risk.memory import from_bytes, to_bytes

DAY = 20_000
START_MS = DAY * DAY_MS
Seen = EquitySeen | MoneyMoved


def equity(second: int, amount: str | int) -> EquitySeen:
    return EquitySeen(START_MS + 1000 * second, Decimal(amount))


def moved(second: int, amount: str | int, name: str = "1") -> MoneyMoved:
    return MoneyMoved(START_MS + 1000 * second, name, Decimal(amount))


def folded(*seen: Seen) -> Baselines:
    found = NO_DAY
    for one in seen:
        found = fold(found, one)
    return found


def drawdown(found: Baselines, amount: str | int) -> Decimal:
    return found.peak + found.moved - Decimal(amount)


def amounts_of(found: Baselines) -> tuple[int, ...]:
    return int(found.opening), int(found.peak), int(found.moved)


def test_the_first_equity_opens_the_day_and_later_ones_raise_its_peak() -> None:
    found = folded(equity(1, 100), equity(2, 120), equity(3, 90))
    assert (found.day, *amounts_of(found)) == (DAY, 100, 120, 0)
    assert (found.opening_ms, found.peak_ms, found.seen_ms) == tuple(START_MS + 1000 * second for second in (1, 2, 3))


@pytest.mark.parametrize("amount", [50, -50])
def test_what_is_moved_is_no_result(amount: int) -> None:
    found = folded(equity(1, 100), equity(2, 120), moved(3, amount), equity(3, 110 + amount))
    assert amounts_of(found) == (100, 120, amount)
    assert drawdown(found, 110 + amount) == 10
    higher = fold(found, equity(4, 130 + amount))
    assert drawdown(higher, 125 + amount) == 5


def test_a_transfer_counts_once_and_not_if_the_opening_holds_it() -> None:
    assert folded(equity(1, 100), moved(2, 50), moved(2, 50), moved(2, 7, "2")).moved == 57
    assert folded(equity(1, 100), moved(1, 50)).moved == 0
    assert folded(moved(1, 50)) == NO_DAY


def test_a_deposit_that_is_told_late_is_taken_out_of_the_peak_that_held_it() -> None:
    found = folded(equity(1, 100), equity(3, 150), moved(2, 50))
    assert (int(found.peak), int(drawdown(found, 150))) == (100, 0)
    falling = folded(equity(1, 100), equity(3, 140), moved(2, 50))
    assert (int(falling.peak), int(drawdown(falling, 140))) == (100, 10)


def test_a_new_day_begins_with_its_first_equity() -> None:
    late = DAY_MS // 1000
    before = folded(equity(1, 100), equity(2, 120), moved(3, 50), equity(4, 160))
    after = fold(before, equity(late, 140))
    assert (after.day, *amounts_of(after), after.transfers) == (DAY + 1, 140, 140, 0, ())
    assert fold(after, moved(3, 50)) == after


def test_what_is_no_number_or_old_changes_nothing() -> None:
    found = folded(equity(2, 100))
    for seen in (equity(3, "NaN"), equity(3, "Infinity"), equity(1, 999), moved(3, "NaN"), equity(-100_000, 999)):
        assert fold(found, seen) == found


def test_figures_are_as_old_as_the_last_equity_and_unknown_on_another_day() -> None:
    found = folded(equity(1, 100), moved(2, 5), equity(3, 115))
    assert figures(found, START_MS + 4_000) == (Figure(Decimal(110), 1_000), Figure(Decimal(5), 1_000))
    assert figures(found, START_MS + DAY_MS) == (UNKNOWN, UNKNOWN)
    assert figures(NO_DAY, START_MS) == (UNKNOWN, UNKNOWN)


amounts = st.decimals(-1000, 1000, places=2)
seens: st.SearchStrategy[Seen] = st.one_of(
    st.builds(EquitySeen, st.integers(START_MS, START_MS + 3 * DAY_MS), st.decimals(allow_nan=True, places=2)),
    st.builds(MoneyMoved, st.integers(START_MS, START_MS + 3 * DAY_MS), st.sampled_from("abcd"), amounts),
)


@given(st.lists(seens, max_size=20))
def test_restored_ones_go_on_as_if_nothing_had_been(seen: list[Seen]) -> None:
    whole, restored = NO_DAY, NO_DAY
    for one in seen:
        whole = fold(whole, one)
        restored = fold(from_bytes(Baselines, to_bytes(restored)), one)
        assert to_bytes(restored) == to_bytes(whole)


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(-300, 300)), min_size=1, max_size=20))
def test_transfers_never_change_the_drawdown(steps: list[tuple[int, int]]) -> None:
    """Results with and without money that comes and goes in between have the same drawdown."""
    plain, mixed, total = folded(equity(0, 500)), folded(equity(0, 500)), 0
    for second, (result, amount) in enumerate(steps, start=1):
        total += amount
        plain = fold(plain, equity(second, result))
        mixed = fold(fold(mixed, moved(second, amount, str(second))), equity(second, result + total))
        assert drawdown(mixed, result + total) == drawdown(plain, result)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b"[]", b'{"day": "x"}', b'{"day":1,"peak":"NaN"}', b'{"day":1,"transfers":[1]}']
)
def test_bytes_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="hold no Baselines"):
        from_bytes(Baselines, data)
