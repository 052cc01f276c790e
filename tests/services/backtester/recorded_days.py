"""A recorded day as a stack would have left it: the log, what the live engine said of it, and the tables behind both."""

import datetime as dt
from collections.abc import Callable

import msgspec

from libs.contracts.codec import Encoded, decode_as, encode
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import AGGTRADE, SIGNAL_INDICATOR, SIGNAL_SCORED
from libs.indicators.settings import KernelSettings
from services.signal_engine.core import EngineCore, Output
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.recorder.conftest import Installation
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, mixed_timeline, random_frames

DAY_MS = 86_400_000
DAY = dt.datetime.fromtimestamp(START_MS / 1000, dt.UTC).date()
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
FRAMES, SEED = 1_200, 3
_BEYOND_MS = 600_000
Edit = Callable[[SignalScored], SignalScored | None]


def recorded_days(days: int = 1) -> TimelineFactory:
    """Some minutes of trade at the start of a UTC day, and the next trade minutes after so many days."""
    timeline = mixed_timeline(SEED, SYMBOLS, FRAMES)
    last = dict.fromkeys(SYMBOLS, 0)
    for frame in random_frames(SEED, SYMBOLS, FRAMES):
        last |= {part.symbol: part.last_id for part in frame.slices if part.rows}
        last |= {hole.symbol: hole.last_missing_id for hole in frame.holes if hole.last_missing_id > last[hole.symbol]}
    at_ms = START_MS + days * DAY_MS + _BEYOND_MS
    rows = [Row(name, last[name] + 1, 5_000_000, 100, at_ms, False) for name in SYMBOLS]
    timeline.copy(AGGTRADE, make_frame(Envelope(0, sequence=FRAMES), rows, dict.fromkeys(SYMBOLS, at_ms - 1)))
    return timeline


async def record(
    installation: Installation, timeline: TimelineFactory, edit: Edit, skip: Callable[[int], bool] = lambda _: False
) -> list[SignalScored]:
    """Record the log and what the live engine said; `edit` changes a published signal or loses it (None), `skip` leaves out
    whatever was said of an instant (ms). Returns the signals as they were published."""
    out = EngineCore(KernelSettings()).process(timeline.records)
    log = [Encoded(record.value or b"", list(record.headers.items())) for record in timeline.records]
    await installation.append(log)
    signals = [found for output in out.signals if (found := edit(_signal(output))) and not skip(found.event_time_ms)]
    await installation.append([encode(signal) for signal in signals], SIGNAL_SCORED.name)
    evaluated = [item.encoded for item in out.indicators if not skip(_evaluation_ms(item))]
    await installation.append(evaluated, SIGNAL_INDICATOR.name)
    await installation.record_all(real_time=False)
    return signals


def _signal(output: Output) -> SignalScored:
    return decode_as(SignalScored, output.encoded.value)


def _evaluation_ms(output: Output) -> int:
    return msgspec.json.decode(output.encoded.value, type=IndicatorComputed).event_time_ms
