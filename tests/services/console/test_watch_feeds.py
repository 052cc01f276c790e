"""The live screen says how the trade feeds are, at 100, 80 and fewer columns, and does not believe an old report."""

import msgspec
import pytest

from libs.contracts.market import FeedState, FeedStatusChanged, Hole
from services.console.watch.model import VenueClock
from tests.services.console.test_watch import EVENING_MS, _drawn, _frame, _model


def _report(symbol: str, state: FeedState, **figures: int) -> FeedStatusChanged:
    status = FeedStatusChanged(
        event_id="f",
        event_time_ms=EVENING_MS,
        feed="trades",
        symbol=symbol,
        state=state,
        detail="",
        last_event_time_ms=-1,
        events_per_second=3.0,
        delay_ms=18.3,
    )
    return msgspec.structs.replace(status, **figures)


@pytest.mark.parametrize("width", [120, 100, 80, 70])
def test_feeds_stand_beside_the_scores_with_their_gaps_and_holes(width: int) -> None:
    model = _model()
    model.symbol("1000000MOGUSDT")
    hole = Hole("BTCUSDT", 102, 113, EVENING_MS, EVENING_MS, "test")
    model.apply(_frame([617_033], (hole,)), 5.0)
    figures = {"completeness_1h_ppm": 1_000_000, "completeness_24h_ppm": 999_999, "gaps_open": 7}
    model.apply(_report("BTCUSDT", "silent", **figures), 5.0)
    text = _drawn(model, width)
    assert max(map(len, text.splitlines())) <= width
    line = next(line for line in text.splitlines() if "78/75" in line).split()
    assert (
        line[line.index("silent") :]
        == {
            120: ["silent", "18", "ms", "100.000", "99.999", "7", "12"],
            100: ["silent", "100.000", "99.999", "7", "12"],
            80: ["silent", "99.999", "7", "12"],
            70: ["silent", "99.999", "7"],
        }[width]
    )
    unknown = [line for line in text.splitlines() if line.startswith("1000000MOG")][1]
    assert set(unknown.split()[1:]) <= {"–", "0"}


def test_a_feed_of_which_nobody_reports_any_more_is_not_called_live() -> None:
    model = _model()
    model.apply(_report("BTCUSDT", "live"), 5.0)
    model.venue_clock = VenueClock(at=5.0, venue_ms=EVENING_MS + 60_000)
    assert " live " in _drawn(model, 100, now=5.0)
    assert " no report " in _drawn(model, 100, now=5.1)
    # A minute of the venue passes in a second of ours: reports come once a second then.
    model.venue_clock = VenueClock(at=5.0, venue_ms=EVENING_MS + 61_000, speed=60.0)
    assert " live " in _drawn(model, 100, now=5.0)
    assert " no report " in _drawn(model, 100, now=15.0)
    model.recording_ended = True
    assert " live " in _drawn(model, 100, now=15.0)
