"""Stops that the mark price triggers, by hand: trades at their level do nothing, and the next trade after a touch fills."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET

from libs.contracts.market import MarkPriceObserved
from libs.trading.costs import Costs
from libs.trading.mark_prices import MarkTape, WaitingMarks
from libs.trading.outcome import Outcome
from tests.libs.trading.accounts import (
    FEES_ONLY,
    MINUTE_MS,
    SHORT,
    START_MS,
    SYMBOL,
    Idea,
    Scene,
    exits,
    marks,
    signal,
    tape,
)

IN = (MINUTE_MS + 250, "100.0")
AT = MINUTE_MS + 10_000
LONG = Idea(by_mark=True)


def scene(idea: Idea = LONG, **changes: Any) -> Scene:
    """An entry, a trade at 97, far through a long stop at 98, and some more; no mark prices."""
    market = tape(IN, (AT, "97.0"), (AT + 1_000, "99.0"), (AT + 5_000, "99.5"), (AT + 9_000, "99.9"))
    return Scene([market], [idea], FEES_ONLY).having(**changes)


def times(outcome: Outcome) -> list[int]:
    """When it was left, ms after `AT`."""
    return [fill.time_ms - START_MS - AT for fill in outcome.exits]


def test_trades_beyond_the_stop_do_not_trigger_it() -> None:
    assert exits(scene().only()) == [("data_end", "99.9", "50.000")]
    assert exits(scene(replace(LONG, by_mark=False)).only()) == [("stop_loss", "97.0", "50.000")]


def test_a_touch_of_the_mark_price_fills_on_the_next_trade() -> None:
    found = scene(marks=[marks((AT + 500, "98.1", "99.0"), (AT + 2_500, "98.0", "99.0"))]).only()
    assert exits(found) == [("stop_loss", "99.5", "50.000")]
    assert times(found) == [5_000]
    # In the millisecond of the touch a trade is the next one.
    found = scene(marks=[marks((AT + 5_000, "98.0"))]).only()
    assert times(found) == [5_000]


def test_the_stop_takes_its_latency_from_the_touch() -> None:
    costs = FEES_ONLY.model_copy(update={"stop_latency_ms": 3_000})
    found = scene(costs=costs, marks=[marks((AT + 2_500, "97.0"))]).only()
    assert (exits(found), times(found)) == ([("stop_loss", "99.9", "50.000")], [9_000])


def test_a_short_position_is_stopped_by_the_highest_mark() -> None:
    found = scene(
        replace(SHORT, by_mark=True), marks=[marks((AT - 5_000, "101.9", "101.99999999"), (AT, "101", "102"))]
    )
    assert (exits(found.only()), times(found.only())) == ([("stop_loss", "97.0", "50.000")], [0])


def test_a_mark_between_two_ticks_of_the_tape_is_compared_exactly() -> None:
    assert exits(scene(marks=[marks((AT, "98.00000001"))]).only()) == [("data_end", "99.9", "50.000")]
    assert exits(scene(marks=[marks((AT, "97.99999999"))]).only()) == [("stop_loss", "97.0", "50.000")]


def test_what_was_known_before_the_entry_does_not_stop_it() -> None:
    assert exits(scene(marks=[marks((MINUTE_MS, "90.0"), (IN[0], "90.0"))]).only())[0][0] == "data_end"
    assert exits(scene(marks=[marks((IN[0] + 1, "90.0"))]).only())[0][0] == "stop_loss"


def test_of_both_extremes_the_worst_comes_first() -> None:
    # The target is reached, and a stop one percent behind the best mark follows: 103 gives 101.9, which the same step's low of
    # 101.5 does not meet any more; the next one does.
    market = tape(IN, (AT, "102.1"), (AT + 1_000, "102.0"), (AT + 9_000, "102.0"), (AT + 20_000, "102.0"))
    told = marks((AT + 2_000, "101.5", "103.0"), (AT + 10_000, "101.9", "102.0"))
    found = Scene([market], [replace(LONG, trailing="1.0")], FEES_ONLY, marks=[told]).only()
    assert exits(found) == [("take_profit_1", "102.0", "25.000"), ("trailing_stop", "102.0", "25.000")]
    assert times(found) == [0, 20_000]


def test_trades_do_not_move_a_stop_that_follows_the_mark() -> None:
    market = tape(IN, (AT, "102.1"), (AT + 1_000, "103.9"), (AT + 9_000, "102.0"), (AT + 20_000, "102.0"))
    found = Scene([market], [replace(LONG, trailing="1.0")], FEES_ONLY, marks=[marks((AT + 2_000, "101.0"))]).only()
    assert exits(found)[1] == ("data_end", "102.0", "25.000")


def test_after_the_first_target_the_mark_triggers_break_even() -> None:
    market = tape(IN, (AT, "102.1"), (AT + 9_000, "101.7"))
    told = marks((AT - 2_000, "99.0"), (AT + 2_000, "100.2"))
    found = Scene([market], [LONG], FEES_ONLY, marks=[told]).only()
    assert exits(found)[1] == ("break_even_stop", "101.7", "25.000")


def test_a_closing_order_that_has_arrived_comes_before_a_later_touch() -> None:
    idea = replace(LONG, hold_ms=12_000)
    late = MINUTE_MS + 12_000 + 250
    market = tape(IN, (late + 5_000, "99.0"))
    for touched, why in ((late - 1, "stop_loss"), (late, "hold_expired")):
        assert exits(Scene([market], [idea], FEES_ONLY, marks=[marks((touched, "90.0"))]).only())[0][0] == why


def test_without_gaps_such_a_stop_still_fills_at_the_trade_because_its_level_is_of_another_market() -> None:
    costs = Costs.ideal()
    found = scene(costs=costs, marks=[marks((AT + 500, "97.0"))]).only()
    assert exits(found) == [("stop_loss", "99.0", "50.000")]


def test_a_mark_price_outside_of_the_slice_is_an_error() -> None:
    simulator = scene().play()
    other = scene(marks=[marks((AT, "99.0"))])
    with pytest.raises(ValueError, match="only goes forward"):
        simulator.advance({}, [], START_MS, {})
    with pytest.raises(ValueError, match="a mark price's time is outside the slice"):
        type(simulator)(other.setup(), START_MS).advance({}, [signal(LONG)], START_MS + AT, {SYMBOL: other.marks[0]})


def observed(at_ms: int, mark: str, lowest: str | None = None, highest: str | None = None) -> MarkPriceObserved:
    """A mark price of the log."""
    return MarkPriceObserved(
        event_id=f"mark:{at_ms}",
        event_time_ms=at_ms,
        symbol=SYMBOL,
        mark_price=Decimal(mark),
        index_price=Decimal(100),
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=None,
        next_funding_time_ms=0,
        lowest_mark_price=None if lowest is None else Decimal(lowest),
        highest_mark_price=None if highest is None else Decimal(highest),
    )


def test_a_step_counts_when_it_was_told_but_not_for_what_was_proven_then() -> None:
    waiting = WaitingMarks(SYMBOL)
    waiting.add(observed(1_000, "100", "99.5", "101"), -1)
    waiting.add(observed(3_000, "100"), 5_000)  # late: trades up to 5,000 were known
    waiting.add(observed(4_000, "99", "98", "99"), 4_500)  # never before the one before it
    waiting.add(observed(9_000, "0"), 8_000)  # a contract that has none yet
    waiting.add(observed(10_000, "100"), 8_000)
    assert waiting.take(1_000).time_ms.tolist() == []
    found = waiting.take(9_000)
    assert found.time_ms.tolist() == [1_000, 5_001, 5_001]
    assert (found.low.tolist(), found.high.tolist()) == (
        [9_950_000_000, 10**10, 98 * 10**8],
        [101 * 10**8, 10**10, 99 * 10**8],
    )
    assert int(found.told_alone.sum()) == 1
    assert waiting.take(20_000).time_ms.tolist() == [10_000]


def test_columns_that_do_not_fit_are_refused() -> None:
    times_ms = np.array([2, 1], np.int64)
    with pytest.raises(ValueError, match="fall"):
        MarkTape(SYMBOL, times_ms, times_ms, times_ms)
    with pytest.raises(ValueError, match="different lengths"):
        MarkTape(SYMBOL, times_ms, times_ms[:1], times_ms)


def test_a_signal_that_says_nothing_is_stopped_by_trades() -> None:
    assert signal(Idea()).working_type is UNSET
