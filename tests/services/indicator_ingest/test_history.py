"""What is missing of a series, whatever happened: filled once, oldest first, and where it was after a restart."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.identity import digest
from libs.contracts.market import UNKNOWN_TIME, IndicatorHistoryCompleted
from libs.exchanges import MOST_HISTORY_PERIODS
from libs.kit.durations import DAY_MS
from services.indicator_ingest.facts import Series
from services.indicator_ingest.history import MARGIN_MS, History
from services.indicator_ingest.schedules import HEADER, SCHEDULES, table
from tests.architecture.settings_page import ROOT

STEP = 300_000
NOW = 1_763_712_000_000
PERIODS: Series = ("BTCUSDT", "taker_long_short_ratio", "5m")
FUNDING: Series = ("BTCUSDT", "funding_rate", None)
ANSWERED = 30


def mark_of(history: History, series: Series = PERIODS) -> IndicatorHistoryCompleted:
    symbol, kind, period = series
    done, live_from, live_to = history.mark(series)
    return IndicatorHistoryCompleted(
        event_id=digest(done, live_from, live_to), event_time_ms=0, symbol=symbol, kind=kind, period=period,
        complete_until_ms=done, live_from_ms=live_from, live_to_ms=live_to,
    )  # fmt: skip


def fill(history: History, now: int, series: Series = PERIODS) -> list[tuple[int, int]]:
    """Fetch everything; the spans that were asked for."""
    spans = []
    while (span := history.missing(series, now)) is not None:
        spans.append((span.start_ms, span.end_ms))
        history.filled(series, span.end_ms)
    return spans


def test_a_fresh_start_fetches_thirty_days_in_pages_from_the_old_end_and_then_rests() -> None:
    history = History()
    assert history.missing(PERIODS, NOW) is None, "nothing live is known yet"
    history.answered(PERIODS, [NOW - number * STEP for number in range(ANSWERED)])
    spans = fill(history, NOW)
    assert spans[0][0] == NOW - 30 * DAY_MS + MARGIN_MS
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert all(end - start <= MOST_HISTORY_PERIODS * STEP for start, end in spans)
    assert spans[-1][1] == NOW - ANSWERED * STEP, "up to what the live answer has"
    assert len(spans) == 18
    assert mark_of(history).complete_until_ms == NOW
    assert history.remaining_ms(PERIODS, NOW) == 0


def test_settled_funding_has_no_period_and_is_one_question() -> None:
    history = History()
    history.answered(FUNDING, [NOW - 10 * DAY_MS, NOW])
    assert fill(history, NOW, FUNDING) == [(NOW - 30 * DAY_MS + MARGIN_MS, NOW - 10 * DAY_MS - 1)]
    assert not history.answered(FUNDING, [NOW - 10 * DAY_MS, NOW])


def test_only_what_is_newer_than_the_topic_is_fetched_after_an_outage() -> None:
    history = History([mark_of(_filled())])
    history.on_the_topic(PERIODS, NOW)
    back = NOW + 5 * 3_600_000
    history.answered(PERIODS, [back - number * STEP for number in range(ANSWERED)])
    assert fill(history, back) == [(NOW, back - ANSWERED * STEP)]
    history.answered(PERIODS, [back + STEP])
    assert history.missing(PERIODS, back) is None


def test_a_short_pause_leaves_nothing_to_fetch_even_when_the_mark_is_old() -> None:
    history = History([mark_of(_filled())])
    history.on_the_topic(PERIODS, NOW + 10 * STEP)
    history.answered(PERIODS, [NOW + number * STEP for number in range(1, ANSWERED)])
    assert history.missing(PERIODS, NOW + ANSWERED * STEP) is None


def test_a_mark_is_not_believed_beyond_the_newest_value() -> None:
    history = History([mark_of(_filled())])
    history.on_the_topic(PERIODS, NOW - STEP)
    assert history.live_ends() == {PERIODS: NOW - STEP}
    history.answered(PERIODS, [NOW + 40 * STEP])
    assert fill(history, NOW + 40 * STEP) == [(NOW - STEP, NOW + 39 * STEP)]


def test_zero_days_ask_for_nothing_and_tell_nothing() -> None:
    history = History(days=0)
    assert not history.answered(PERIODS, [NOW])
    assert history.missing(PERIODS, NOW) is None


def _filled() -> History:
    history = History()
    history.answered(PERIODS, [NOW])
    fill(history, NOW)
    return history


@dataclass
class Topic:
    """Every instant that was published, each time it was, and the last mark."""

    instants: list[int] = field(default_factory=list)
    marks: list[IndicatorHistoryCompleted] = field(default_factory=list)


STEPS = st.sampled_from(["live", "live", "page", "page", "page", "outage", "kill"])


@given(st.lists(STEPS, max_size=60), st.integers(1, 4_000))
def test_whatever_happens_each_instant_is_published_once_and_none_is_missing(steps: list[str], outage: int) -> None:
    topic, now = Topic(), NOW
    history, newest = History(), UNKNOWN_TIME
    for step in [*steps, "live"]:
        if step == "outage":
            now += outage * STEP
        elif step == "kill":
            history, newest = History(topic.marks[-1:]), max(topic.instants, default=UNKNOWN_TIME)
            if newest != UNKNOWN_TIME:
                history.on_the_topic(PERIODS, newest)
        elif step == "live":
            now += STEP
            answer = [now - number * STEP for number in range(ANSWERED)]
            topic.instants += [instant for instant in answer if instant > newest]
            newest = now
            if history.answered(PERIODS, answer):
                topic.marks.append(mark_of(history))
        elif (span := history.missing(PERIODS, now)) is not None:
            topic.instants += range(-(-(span.start_ms + 1) // STEP) * STEP, span.end_ms + 1, STEP)
            history.filled(PERIODS, span.end_ms)
            topic.marks.append(mark_of(history))
    while (span := history.missing(PERIODS, now)) is not None:
        topic.instants += range(-(-(span.start_ms + 1) // STEP) * STEP, span.end_ms + 1, STEP)
        history.filled(PERIODS, span.end_ms)
    reach = now - 30 * DAY_MS + MARGIN_MS
    assert set(range(-(-(reach + 1) // STEP) * STEP, now + 1, STEP)) <= set(topic.instants)
    # A successor knows of one hole: of two it fetches what lies between them again, under the same ids.
    if "kill" not in steps or steps.count("outage") < 1:
        assert len(topic.instants) == len(set(topic.instants))


@pytest.mark.parametrize("feed", SCHEDULES)
def test_no_value_counts_as_known_before_it_was_told_or_assumed(feed: str) -> None:
    known = SCHEDULES[feed]
    on_time = NOW + int(known.seen_seconds * 1000)
    assert known.availability(NOW, on_time) == (on_time, False)
    available, assumed = known.availability(NOW, on_time + 1)
    if known.assumed_delay_seconds is None:
        assert (available, assumed) == (on_time + 1, False)
    else:
        assert (available, assumed) == (NOW + int(known.assumed_delay_seconds * 1000), True)
        tries = known.offset_seconds + known.retries * known.retry_seconds
        assert tries <= known.assumed_delay_seconds, "a live system might have had it later than we assume"
    assert known.availability(NOW, NOW - 5)[0] == NOW, "our clock may be behind the venue's"


def test_the_readme_shows_the_table() -> None:
    readme = (ROOT / "services/indicator_ingest/README.md").read_text()
    assert HEADER in readme
    assert table() in readme
