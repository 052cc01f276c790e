"""What is told of a stream's feeds: changes at once, figures again and again, and a value that is too old."""

import asyncio

import pytest

from libs.contracts.market import FeedStatusChanged
from libs.exchanges.feed_reports import FeedReports
from libs.exchanges.feed_status import REPORT_MS
from libs.kit.clock import VenueClock
from tests.services.processes import eventually

NOW = 1_763_712_000_000


def reports(*, paced: bool = True, speed: float = 1.0) -> tuple[FeedReports, list[FeedStatusChanged], VenueClock]:
    told: list[FeedStatusChanged] = []
    clock = VenueClock(NOW, speed, paced=paced)
    return FeedReports("mark_price", ("BTCUSDT", "ETHUSDT"), clock, told.append, 15_000), told, clock


def test_a_change_is_told_once_and_a_report_has_its_figures() -> None:
    made, told, clock = reports()
    made.report("BTCUSDT")
    assert told == [], "nothing is known of it yet"
    made.enter_all("starting")
    made.enter_all("starting")
    assert [(event.symbol, event.state) for event in told] == [("BTCUSDT", "starting"), ("ETHUSDT", "starting")]
    made.enter("BTCUSDT", "live")
    clock.synchronise(NOW + 1)
    made.report("BTCUSDT")
    for number in range(20):
        made.seen("BTCUSDT", NOW + number * 500 - 40)
    clock.synchronise(NOW + REPORT_MS)
    made.report("BTCUSDT")
    event = told[-1]
    assert (event.state, event.last_event_time_ms) == ("live", NOW + 19 * 500 - 40)
    assert event.events_per_second is not None
    assert event.events_per_second == pytest.approx(2.0, rel=0.01)
    assert event.delay_ms is not None
    assert len({item.event_id for item in told}) == len(told)


def test_a_live_symbol_without_news_is_stale_until_the_next() -> None:
    made, told, clock = reports()
    made.seen("BTCUSDT", NOW)
    made.enter_all("live")
    clock.synchronise(NOW + 15_000)
    made.report("BTCUSDT")
    assert told[-1].state == "live"
    clock.synchronise(NOW + 15_001 + 50)
    made.report("BTCUSDT")
    made.report("ETHUSDT")
    assert [(event.symbol, event.state) for event in told[-2:]] == [("BTCUSDT", "stale"), ("ETHUSDT", "live")]
    made.enter("BTCUSDT", "live")
    made.enter("BTCUSDT", "down")
    made.report("BTCUSDT")
    assert [event.state for event in told[-3:]] == ["live", "down", "down"], "what is down is not called stale"


def test_without_a_pace_there_is_no_age() -> None:
    made, told, clock = reports(paced=False)
    made.seen("BTCUSDT", NOW)
    made.enter("BTCUSDT", "live")
    clock.synchronise(NOW + 86_400_000)
    made.report("BTCUSDT")
    assert {event.state for event in told} == {"live"}


async def test_reports_come_by_themselves() -> None:
    made, told, _ = reports(speed=10.0)
    made.enter_all("live")
    running = asyncio.create_task(made.run())

    async def again() -> bool:
        return len(told) >= 4

    await eventually(again, 10, lambda: str(told))
    running.cancel()
    assert [event.symbol for event in told[2:4]] == ["BTCUSDT", "ETHUSDT"]
