"""Figures of trades against figures worked out by hand, and what is said where there is none."""

import numpy as np
import pytest

from libs.trading.outcome import Outcome
from services.backtester.metrics import trades
from services.backtester.metrics.tables import grouped, hold_step, score_step, tables
from tests.services.backtester.results import (
    DAY_MS,
    MINUTE_MS,
    START_MS,
    Shape,
    curve,
    facts,
    make_result,
    outcome,
    plain_result,
)

MIXED = tuple(outcome(net) for net in ("20", "-10", "-10", "30", "0", "-5"))


def test_six_trades() -> None:
    assert trades.win_rate(MIXED).value == pytest.approx(2 / 6)
    assert trades.profit_factor(MIXED).value == pytest.approx(50 / 25)
    assert trades.payoff(MIXED).value == pytest.approx(25 / (25 / 3))
    assert trades.expectancy(MIXED).value == pytest.approx(25 / 6)
    assert trades.expectancy_r(MIXED).value == pytest.approx(25 / 60)
    assert trades.streaks(MIXED) == (1, 2)
    assert trades.traded_notional(MIXED) == pytest.approx(6 * 100 + 6 * 100 + 25)


def test_hold_times() -> None:
    held = tuple(outcome("1", held_ms=minutes * MINUTE_MS) for minutes in (5, 10, 70))
    assert trades.median_hold(held).value == 10 * MINUTE_MS
    assert trades.mean_hold(held).value == pytest.approx(85 / 3 * MINUTE_MS)


def test_sums_of_money_are_exact() -> None:
    assert trades.total(one.net for one in [outcome("0.1")] * 10) == 1.0


def test_rank_correlation() -> None:
    """Scores 1, 2, 3, 4 against ranks 2, 1, 4, 3: 1 - 6 * 4 / (4 * 15) = 0.6."""
    given = [outcome(net, score=score) for score, net in ((1.0, "2"), (2.0, "1"), (3.0, "4"), (4.0, "3"))]
    assert trades.score_correlation(given).value == pytest.approx(0.6)
    assert trades.ranks(np.array([5.0, 1.0, 5.0, 9.0])).tolist() == [2.5, 1, 2.5, 4]


@pytest.mark.parametrize(
    ("outcomes", "factor", "payoff", "rate"),
    [
        ((), "no trades", "no trades", None),
        ((outcome("5"),), "no losing trade", "no losing trade", 1.0),
        ((outcome("5"), outcome("6")), "no losing trade", "no losing trade", 1.0),
        ((outcome("-5"), outcome("-6")), "", "no winning trade", 0.0),
    ],
)
def test_none_one_all_won_and_all_lost(
    outcomes: tuple[Outcome, ...], factor: str, payoff: str, rate: float | None
) -> None:
    assert trades.profit_factor(outcomes).reason == factor
    assert trades.payoff(outcomes).reason == payoff
    assert trades.win_rate(outcomes).value == rate
    if not factor:
        assert trades.profit_factor(outcomes).value == 0


def test_groups_hold_what_they_have_in_common() -> None:
    rows = grouped((outcome("5"), outcome("-1", symbol="ETHUSDT"), outcome("2")), lambda one: one.symbol)
    assert [(row.key, row.trades, row.wins, row.net) for row in rows] == [("BTCUSDT", 2, 2, 7), ("ETHUSDT", 1, 0, -1)]


def test_steps_of_scores_and_hold_times() -> None:
    assert [score_step(score) for score in (75, 79.99, 80, 100)] == ["75–80", "75–80", "80–85", "95–100"]
    assert [hold_step(minutes * MINUTE_MS) for minutes in (0, 5, 69, 240)] == [0, 1, 4, 6]


def test_every_table_accounts_for_every_trade() -> None:
    result = make_result(Shape(days=5))
    found = tables(result)
    for groups in (
        *(found.by_symbol, found.by_strategy, found.by_direction, found.by_hour),
        *(found.by_exit, found.by_score, found.by_hold),
    ):
        assert sum(group.trades for group in groups) == len(result.outcomes)
        assert sum(group.net for group in groups) == pytest.approx(float(sum(one.net for one in result.outcomes)))


def test_every_signal_is_refused_or_traded() -> None:
    result = make_result(Shape(days=5))
    refused = sum(row.count for row in tables(result).refused)
    assert refused + len(result.outcomes) == len(result.signals)
    assert {row.stage for row in tables(result).refused} == {"engine", "portfolio"}


def test_days_are_those_of_the_calendar() -> None:
    """From 12:00 to 12:00: the first and the last day are halves, and what stands at midnight belongs to the day before."""
    of = facts(days=2, start_ms=START_MS + DAY_MS // 2, end_ms=START_MS + 5 * DAY_MS // 2)
    days = tables(plain_result((), curve((0.75, 10_010), (1.0, 10_100), (1.5, 10_201), (2.25, 9_996.98)), of)).days
    assert [day.day for day in days] == ["2024-06-01", "2024-06-02", "2024-06-03"]
    assert [day.result for day in days] == pytest.approx([100, 101, -204.02])
    assert [day.share for day in days] == pytest.approx([0.01, 0.01, -0.02])
