"""A signal's trace begins with the frame that released it: one id to follow from the venue's trades to the signal."""

from libs.contracts.codec import HEADER_TRACEPARENT, decode_as, traceparent_of
from libs.contracts.market import AggTradeFrame
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import AGGTRADE
from libs.indicators.settings import KernelSettings
from services.signal_engine.core import EngineCore
from tests.services.signal_engine.timelines import TimelineFactory, random_frames

SYMBOLS = ["BTCUSDT", "ETHUSDT"]


def released_by(frames: list[AggTradeFrame], event: IndicatorComputed) -> AggTradeFrame:
    """The first frame whose watermark or trade of the symbol proves the evaluation's time."""
    for frame in frames:
        if any(part.symbol == event.symbol and part.watermark_ms >= event.event_time_ms - 1 for part in frame.slices):
            return frame
    raise AssertionError("no frame proves this evaluation")


def test_evaluations_belong_to_the_trace_of_the_frame_that_released_them_however_the_log_is_cut() -> None:
    frames, timeline = random_frames(4, SYMBOLS, 400), TimelineFactory()
    timeline.fence()
    for frame in frames:
        timeline.copy(AGGTRADE, frame)
    at_once = EngineCore(KernelSettings()).process(timeline.records).indicators
    core = EngineCore(KernelSettings())
    one_by_one = [output for record in timeline.records for output in core.process([record]).indicators]
    assert len(at_once) > 10
    assert [output.encoded for output in at_once] == [output.encoded for output in one_by_one]
    for output in at_once:
        event = decode_as(IndicatorComputed, output.encoded.value)
        expected = traceparent_of(released_by(frames, event).event_id, event.event_id)
        assert dict(output.encoded.headers)[HEADER_TRACEPARENT] == expected.encode()
