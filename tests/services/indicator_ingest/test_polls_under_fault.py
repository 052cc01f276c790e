"""Each poll of indicator_ingest under each fault of REST alone: no fact is lost, doubled, moved or known before it was.

Of every case: a feed goes on when the fault is over, with each period once, at its end, as the venue's REST tells it.
"""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.indicator_ingest.schedules import SCHEDULES
from tests.services.indicator_ingest.poll_faults import PATHS, PERIODS, ROWS, Group, Key, Outcome, feed_of, live_through
from tests.support.patient_time import run_patiently

HOUR_MS = 3_600_000
AT_ONCE = 4
FIVE_MINUTES = tuple(feed for feed, schedule in SCHEDULES.items() if schedule.awaits_period)
GROUPS = {
    "periods": Group((*FIVE_MINUTES, "open_interest"), 300.0, 2.0, 1_500_000),
    "funding": Group(("funding_rate",), 10_000.0, 0.05, 12 * HOUR_MS),
}
REFUSED = frozenset({"down", "stale"})
# A fault, and the states of which each feed must show one while it lasts: none where values go on.
FAULTS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "429": ({"kind": "rate_limited", "retry_after_s": 30}, REFUSED),
    "418": ({"kind": "banned"}, REFUSED),
    "503": ({"kind": "unavailable"}, REFUSED),
    "502": ({"kind": "server_error"}, REFUSED),
    "slow body": ({"kind": "slow_body", "seconds": 0.1}, frozenset()),
    "half a page": ({"kind": "truncated_page"}, REFUSED),
    "short page": ({"kind": "truncated_page", "rows": PERIODS - 6}, frozenset({"stale"})),
    "empty page": ({"kind": "truncated_page", "rows": 0}, frozenset({"silent"})),
}
CASES = [(group, fault) for group in GROUPS for fault in FAULTS]


@dataclass
class Outcomes:
    """The cases of a group, some at once, each with its own venue: they wait most of the time."""

    folder: Path
    known: dict[tuple[str, str], Outcome | BaseException] = field(default_factory=dict)

    def of(self, group: str, fault: str) -> Outcome:
        if (group, fault) not in self.known:
            found = run_patiently(self._live_through(group))
            self.known |= {(group, name): one for name, one in zip(FAULTS, found, strict=True)}
        outcome = self.known[group, fault]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _live_through(self, group: str) -> list[Outcome | BaseException]:
        some = asyncio.Semaphore(AT_ONCE)

        async def one(name: str) -> Outcome:
            async with some:
                return await live_through(self.folder / f"{group} {name}", GROUPS[group], FAULTS[name][0])

        return await asyncio.gather(*(one(name) for name in FAULTS), return_exceptions=True)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return Outcomes(tmp_path_factory.mktemp("polls"))


@pytest.fixture(params=CASES, ids=[f"{group}: {fault}" for group, fault in CASES])
def case(request: pytest.FixtureRequest, outcomes: Outcomes) -> tuple[str, Outcome]:
    group, fault = request.param
    return fault, outcomes.of(group, fault)


def test_each_fact_comes_once_and_none_is_missing(case: tuple[str, Outcome]) -> None:
    name, after = case
    met = {one["path"] for one in after.ledger}
    assert met, "the fault met no question"
    assert name in ("418", "429") or met >= {PATHS[feed] for feed in after.group.feeds}
    facts = [(event.kind, event.symbol, event.period, event.event_time_ms) for _, event in after.values]
    assert len(set(facts)) == len(facts), "a fact twice"
    for feed, symbol in after.group.keys:
        times = [event.event_time_ms for _, event in after.of((feed, symbol))]
        assert times == sorted(times)
        apart = {"open_interest": None, "funding_rate": 8 * HOUR_MS}.get(feed, 300_000)
        assert apart is None or {two - one for one, two in pairwise(times)} == {apart}


def test_a_fact_is_what_rest_answers_at_the_end_of_its_period(case: tuple[str, Outcome]) -> None:
    _, after = case
    for put, event in after.values:
        feed = feed_of(event)
        if feed in ROWS:
            assert event.raw == after.rows[feed, event.symbol, event.event_time_ms]
            assert event.event_time_ms % (HOUR_MS if feed == "funding_rate" else 300_000) == 0
        else:
            facts = after.market.positioning(event.symbol, event.event_time_ms)
            decimals = after.market.rules[event.symbol].quantity_decimals
            text = f"{facts.open_interest:.{decimals}f}"
            assert event.raw == {"symbol": event.symbol, "openInterest": text, "time": event.event_time_ms}
        assert event.event_time_ms <= put


def test_no_fact_is_available_before_it_was(case: tuple[str, Outcome]) -> None:
    _, after = case
    off_ms = after.late_ms
    for put, event in after.values:
        schedule = SCHEDULES[feed_of(event)]
        assert event.available_ms is not None
        assert event.available_ms >= event.event_time_ms
        if event.availability_assumed:
            assert event.available_ms == event.event_time_ms + 120_000
            assert put - event.event_time_ms > schedule.seen_seconds * 1000 - off_ms
        else:
            assert put - off_ms < event.available_ms < put + off_ms
            assert (
                schedule.assumed_delay_seconds is None
                or put - event.event_time_ms < schedule.seen_seconds * 1000 + off_ms
            )


def test_a_feed_says_how_it_is(case: tuple[str, Outcome]) -> None:
    name, after = case
    for key in after.group.keys:
        said = after.states(key)
        found = {event.state for event in said} - {"live"}
        if name in ("short page", "empty page") and key[0] == "open_interest":
            assert found <= {"stale"}, "an answer that is no list has no rows to lack"
            continue
        wanted = FAULTS[name][1]
        assert found <= wanted | {"stale"}
        assert found & wanted or not wanted, f"{key} said nothing"
        if wanted:
            check_staleness(after, key)
        # A venue as fast as this one may find a value too old once more before we stop looking, after trouble or without.
        states = [event.state for event in said]
        troubled = next((place for place, state in enumerate(states) if state in wanted), 0)
        assert "live" in states[troubled:], "and live again"


def check_staleness(after: Outcome, key: Key) -> None:
    """The feed is live for no longer than its limit after the newest value, and `stale` only then."""
    limit, off_ms = SCHEDULES[key[0]].stale_seconds * 1000, after.late_ms
    known = [(put, event.event_time_ms) for put, event in after.of(key)]
    before = [time for put, time in known if put <= after.begin_ms + off_ms]
    first_not_live = next(event for event in after.states(key) if event.state != "live")
    assert first_not_live.event_time_ms <= before[-1] + limit + off_ms
    for event in after.states(key):
        # An answer of old rows only says so at once; where none comes, the age of what we have must be beyond the limit.
        if event.state == "stale" and not any(one["kind"] == "truncated_page" for one in after.ledger):
            assert event.event_time_ms - event.last_event_time_ms > limit


@pytest.mark.parametrize("group", GROUPS)
def test_a_ban_is_obeyed_and_makes_stale_what_waits_for_its_end(outcomes: Outcomes, group: str) -> None:
    after = outcomes.of(group, "418")
    times = [one["venue_ms"] for one in after.ledger]
    # What was under way when the ban came cannot be taken back.
    assert max(times) - min(times) <= after.late_ms
    assert len(times) <= len(after.group.keys)
    for key in after.group.keys:
        states = [event.state for event in after.states(key) if event.event_time_ms <= after.end_ms]
        assert ("down" if after.refused(key) else "stale") in states
