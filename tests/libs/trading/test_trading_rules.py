"""Sizing, the account's rules and the bracket by themselves, as a paper trader or an executor uses them."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from libs.trading.costs import Costs
from libs.trading.filter_rows import symbol_row
from libs.trading.filters import SymbolFilters
from libs.trading.machine import layout as at
from libs.trading.machine import lifecycle
from libs.trading.machine.charges import share_of
from libs.trading.machine.search import first_outside, lower_bound
from libs.trading.market import Part, Span, build_market
from libs.trading.portfolio import PortfolioRules, RiskState, book_result, entry_refused, look
from libs.trading.sizing import NotSized, Sized, Stake, position_size
from tests.libs.trading.accounts import DAY_MS, MINUTE_MS, START_MS, filters, tape

D = Decimal
ETH = SymbolFilters("ETHUSDT", D("0.01"), D("0.001"), D("0.001"), D(2000), D(20), max_leverage=10)
STAKE = Stake(risk=D(100), balance=D(10_000))


def test_the_risk_over_the_distance_rounded_down() -> None:
    # 100 / 7.77 = 12.8700...
    assert position_size(STAKE, D("3000.00"), D("2992.23"), ETH) == Sized(D("12.870"))
    assert position_size(STAKE, D("2992.23"), D("3000.00"), ETH) == Sized(D("12.870"))


@pytest.mark.parametrize(
    ("stake", "stop", "reason"),
    [
        (STAKE, "2999.99", "above_leverage"),  # 10,000 units; cut to 2,000, which is still 6 million
        (Stake(D("0.001"), D(10_000)), "2900", "below_minimum_quantity"),
        (Stake(D("0.2"), D(10_000)), "2900", "below_minimum_notional"),  # 0.002 units are 6
        (STAKE, "3000", "stop_passed"),
    ],
)
def test_a_refusal_says_why(stake: Stake, stop: str, reason: str) -> None:
    refused = position_size(stake, D(3000), D(stop), ETH)
    assert isinstance(refused, NotSized)
    assert refused.reason == reason
    assert refused.why


def test_a_leverage_cap_allows_exactly_its_notional() -> None:
    cap = filters(max_leverage=2)
    assert position_size(Stake(D(100), D(2_500)), D(100), D(98), cap) == Sized(D(50))
    assert isinstance(position_size(Stake(D(100), D("2499.99")), D(100), D(98), cap), NotSized)


def test_scales_finer_than_money_are_refused() -> None:
    with pytest.raises(ValueError, match="finer than money"):
        symbol_row("X", (6, 3), None)
    with pytest.raises(ValueError, match="finer than the tape"):
        symbol_row("X", (1, 3), ETH)


RULES = PortfolioRules(daily_loss_r=D(2), warning_r=D(1), circuit_break_r=D(3), cooldown_minutes=10)
FRESH = RiskState(D(10_000))


def test_a_days_loss_lasts_until_midnight_whatever_is_won_after() -> None:
    state = book_result(RULES, FRESH, START_MS, D("-200"))
    state = book_result(RULES, state, START_MS + 1, D(500))
    assert entry_refused(RULES, state, START_MS + DAY_MS - 1, locked=False) == "daily_loss"
    assert entry_refused(RULES, state, START_MS + DAY_MS, locked=False) is None
    assert state.balance == D(10_300)


def test_the_guard_warns_breaks_and_resumes() -> None:
    state = look(RULES, FRESH, START_MS, D("-99.99"))
    assert state.level == "normal"
    state = look(RULES, state, START_MS, D(-100))
    assert (state.level, entry_refused(RULES, state, START_MS, locked=False)) == ("warning", None)
    state = look(RULES, state, START_MS, D(-300))
    assert entry_refused(RULES, state, START_MS, locked=False) == "risk_state"
    still = look(RULES, state, START_MS + 10 * MINUTE_MS - 1, D(0))
    assert still.level == "circuit_break"
    assert look(RULES, still, START_MS + 10 * MINUTE_MS, D(0)).level == "normal"
    again = look(RULES, still, START_MS + 10 * MINUTE_MS, D(-300))
    assert again.break_until_ms == START_MS + 20 * MINUTE_MS


def test_locks_and_limits_of_an_account() -> None:
    assert entry_refused(RULES, FRESH, START_MS, locked=True) == "symbol_locked"
    full = RiskState(D(10_000), positions=4)
    assert entry_refused(RULES, full, START_MS, locked=False) == "max_positions"
    with pytest.raises(ValidationError, match="must not be above"):
        PortfolioRules(warning_r=D(7), circuit_break_r=D(6))


def position(side: int) -> NDArray[np.int64]:
    row = np.zeros(at.POSITION_COLUMNS, np.int64)
    row[at.STATE], row[at.SIDE], row[at.CLOSE_DUE], row[at.CLOSE_WHY] = at.OPEN, side, 1_000, at.HOLD_EXPIRED
    row[at.STOP], row[at.TARGET_1], row[at.TARGET_2] = 1_000 - 20 * side, 1_000 + 20 * side, 1_000 + 40 * side
    return row


@pytest.mark.parametrize("side", [1, -1])
def test_the_bracket_is_callable_trade_by_trade(side: int) -> None:
    row = position(side)

    def does(move: int, ms: int = 0) -> int:
        return int(lifecycle.action(row, ms, 1_000 + move * side))

    assert [does(move) for move in (-19, -20, 20, 21)] == [at.NOTHING, at.STOP_LOSS, at.NOTHING, at.TAKE_PROFIT_1]
    assert does(0, 1_000) == at.HOLD_EXPIRED
    lifecycle.reach_first_target(row, 1_000)
    assert [does(move) for move in (1, 0, 40, 41)] == [at.NOTHING, at.BREAK_EVEN_STOP, at.NOTHING, at.TAKE_PROFIT_2]
    assert lifecycle.close_by(row, 500, at.RISK_GUARD)
    assert not lifecycle.close_by(row, 600, at.RISK_GUARD)
    assert does(5, 500) == at.RISK_GUARD


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 1_700), st.integers(0, 1_700), st.integers(1, 60), st.integers(1, 60))
def test_skipping_blocks_finds_what_looking_at_every_trade_finds(
    seed: int, one: int, other: int, down: int, up: int
) -> None:
    chance = np.random.default_rng(seed)
    prices = 1_000 + np.cumsum(chance.integers(-2, 3, 1_700)).clip(-900)
    whole = tape(*[(int(ms), "1.0") for ms in np.sort(chance.integers(0, 900, 1_700))])
    market = build_market([Part(whole)], {}, Span(START_MS, START_MS + DAY_MS, DAY_MS))
    market = market._replace(price=prices.astype(np.int64))
    for block in range(len(market.block_low)):
        part = prices[block * at.BLOCK : (block + 1) * at.BLOCK]
        market.block_low[block], market.block_high[block] = part.min(), part.max()
    begin, end = min(one, other), max(one, other)
    low, high = 1_000 - down, 1_000 + up
    if begin < end and down % 2:  # prices that are reached exactly, and once
        low, high = int(prices[begin:end].min()), int(prices[begin:end].max()) + up % 2
    naive = next((i for i in range(begin, end) if prices[i] <= low or prices[i] >= high), end)
    assert first_outside(market, begin, end, low, high) == naive
    instant = START_MS + down * 10
    earliest = next((i for i in range(begin, end) if whole.time_ms[i] >= instant), end)
    assert lower_bound(market.time_ms, begin, end, instant) == earliest


@given(st.integers(0, 2**62 - 1), st.integers(-1_000_000, 1_000_000))
def test_a_share_is_exact_to_the_nearest_unit(amount: int, rate: int) -> None:
    assert share_of(amount, rate) == (amount * rate + 10**8 // 2) // 10**8


def test_costs_are_checked_and_compared() -> None:
    assert Costs.ideal().is_ideal
    assert not Costs().is_ideal
    with pytest.raises(ValidationError):
        Costs(taker_fee=D("0.5"))
