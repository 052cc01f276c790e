"""Which rate is the newest: the one of the latest venue time that can have been."""

from libs.contracts.codec import encode
from libs.kit.clock import BELIEVABLE_AHEAD_MS, ManualClock
from libs.streaming.records import Record
from services.gateway.live_rates import LiveRates
from tests.services.recorder.timelines import mark_price


def _record(number: int) -> Record:
    coded = encode(mark_price(number))
    return Record("market.markprice.v1", 0, number, None, coded.value, dict(coded.headers), 0)


def test_a_stamp_from_the_future_is_left_out_and_the_next_one_counts() -> None:
    times = [mark_price(number).event_time_ms for number in range(60)]
    rates = LiveRates(clock=ManualClock(times[2]))
    allowed = max(number for number, time in enumerate(times) if time <= times[2] + BELIEVABLE_AHEAD_MS)
    for number in (1, allowed + 1, 2):
        rates.take(_record(number))
    assert rates.newest["BTCUSDT"].event_time_ms == times[2]
    rates.take(_record(allowed))
    assert rates.newest["BTCUSDT"].event_time_ms == times[allowed]


def test_a_recording_played_faster_may_run_ahead_of_our_clock() -> None:
    rates = LiveRates(clock=ManualClock(0), real_time=False)
    rates.take(_record(1))
    assert rates.newest["BTCUSDT"].event_time_ms == mark_price(1).event_time_ms
