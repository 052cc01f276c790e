"""Which days are due: each once, oldest first, never before its time, and a missed night is caught up."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.durations import DAY_MS
from libs.kit.errors import ConfigurationError
from libs.kit.settings import load_settings
from services.backtester.due import MARGIN_MS, Schedule, behind, day_ms, due_days
from services.backtester.nightly import Patience
from services.backtester.settings import DriftSettings

DAY = dt.date(2026, 11, 1)
START = day_ms(DAY)
NIGHTLY = Schedule(after_ms=1_800_000, most=7)
NEXT_NIGHT = START + DAY_MS + NIGHTLY.after_ms


def days(*numbers: int) -> list[dt.date]:
    return [DAY + dt.timedelta(days=number) for number in numbers]


def test_yesterday_is_due_from_the_time_of_day_on_and_until_it_is_done() -> None:
    bounds = {"BTCUSDT": (START + 5, START + DAY_MS + 900_000)}
    assert due_days(bounds, set(), NEXT_NIGHT - 1, NIGHTLY) == []
    assert due_days(bounds, set(), NEXT_NIGHT, NIGHTLY) == [DAY]
    assert due_days(bounds, {DAY}, NEXT_NIGHT, NIGHTLY) == []


def test_missed_nights_are_caught_up_oldest_first_also_days_without_anything() -> None:
    bounds = {"BTCUSDT": (START, START + DAY_MS), "ETHUSDT": (START + 3 * DAY_MS, START + 4 * DAY_MS + 5)}
    now = START + 5 * DAY_MS + NIGHTLY.after_ms
    assert due_days(bounds, {DAY}, now, NIGHTLY) == days(1, 2, 3, 4)
    assert due_days(bounds, set(), now, Schedule(NIGHTLY.after_ms, 2)) == days(3, 4)


def test_a_recording_of_another_year_is_due_and_ends_where_it_ends() -> None:
    assert due_days({"BTCUSDT": (START, START + 7)}, set(), START + 700 * DAY_MS, NIGHTLY) == [DAY]


def test_a_venue_that_is_ahead_of_our_clock_has_its_own_nights() -> None:
    ahead = {"BTCUSDT": (START, NEXT_NIGHT)}
    assert due_days(ahead, set(), START - 5 * DAY_MS, NIGHTLY) == [DAY]
    assert due_days({"BTCUSDT": (START, NEXT_NIGHT - 1)}, set(), START - 5 * DAY_MS, NIGHTLY) == []


def test_before_anything_is_recorded_nothing_is_due() -> None:
    assert due_days({}, set(), NEXT_NIGHT, NIGHTLY) == []


def test_a_day_is_waited_for_until_every_symbol_of_it_is_recorded_beyond_its_end() -> None:
    end = START + DAY_MS
    bounds = {
        "AAAUSDT": (START - 9, end + MARGIN_MS),
        "BBBUSDT": (START - 9, end + MARGIN_MS - 1),
        "GONEUSDT": (START - 2 * DAY_MS, START - 1),
        "NEWUSDT": (end, end + 5),
    }
    assert behind(bounds, DAY) == {"BBBUSDT": end + MARGIN_MS - 1}


def test_patience_ends_only_when_nothing_changes() -> None:
    patience = Patience(10)
    assert not patience.over({"BTCUSDT": 1}, 100.0)
    assert not patience.over({"BTCUSDT": 1}, 109.9)
    assert not patience.over({"BTCUSDT": 2}, 110.0)
    assert patience.over({"BTCUSDT": 2}, 120.0)


@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.sets(st.integers(0, 60)),
    st.integers(0, 60 * DAY_MS),
    st.integers(1, 40),
)
def test_no_day_is_due_twice_or_before_it_has_ended(
    first: int, length: int, done: set[int], later: int, most: int
) -> None:
    bounds = {"BTCUSDT": (START + first * DAY_MS, START + (first + length) * DAY_MS)}
    checked = set(days(*done))
    found = due_days(bounds, checked, START + later, Schedule(NIGHTLY.after_ms, most))
    assert found == sorted(set(found) - checked)
    assert len(found) <= most
    latest = max(START + later, bounds["BTCUSDT"][1])
    assert all(day_ms(day) + DAY_MS + NIGHTLY.after_ms <= latest for day in found)
    assert all(first <= (day - DAY).days <= first + length for day in found)


@pytest.mark.parametrize("text", ["24:00", "1:30", "00:60", "noon", "", "00:30:00", "٠٠:٣٠"])
def test_a_time_of_day_that_is_none_is_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTREAM_DRIFT_AT", text)
    with pytest.raises(
        ConfigurationError, match=r"PERPSTREAM_DRIFT_AT: .* is no time of day: write it like 00:30, or off"
    ):
        load_settings(DriftSettings)


def test_the_time_of_day_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(DriftSettings).after_midnight_ms == 30 * 60_000
    monkeypatch.setenv("PERPSTREAM_DRIFT_AT", "off")
    assert load_settings(DriftSettings).after_midnight_ms is None
