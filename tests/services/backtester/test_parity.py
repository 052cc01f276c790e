"""What was recorded, replayed: the same signals, byte for byte, from the tables as from the log, in stretches of any length."""

import pytest

from libs.contracts.codec import Encoded, encode_value
from libs.indicators.settings import KernelSettings
from services.backtester.reading import SymbolReader, stretches
from services.backtester.sources import Source, Span
from services.backtester.sources.postgres import PostgresSource
from services.signal_engine.core import EngineCore
from tests.services.recorder.conftest import Installation
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, mixed_timeline

pytestmark = pytest.mark.integration
SYMBOLS = ["BTCUSDT", "ETHUSDT", "XRPUSDT"]
KERNEL = KernelSettings()
HOUR_MS = 3_600_000


def live_signals(timeline: TimelineFactory) -> list[bytes]:
    """What the live engine says of this log."""
    out = EngineCore(KERNEL).process(timeline.records)
    return sorted(output.encoded.value for output in out.signals)


async def replayed_signals(source: Source, end_ms: int, step_ms: int) -> list[bytes]:
    """What the engine over columns says of the same log."""
    span = Span(START_MS - 24 * HOUR_MS, end_ms)
    found: list[bytes] = []
    for symbol in await source.symbols():
        reader = SymbolReader(source, symbol, span, KERNEL)
        await reader.begin()
        for until_ms in stretches(Span(START_MS, end_ms), step_ms):
            stretch = await reader.advance(until_ms)
            found += [encode_value(signal) for item in stretch.evaluations for signal in item.signals]
    return sorted(found)


@pytest.mark.parametrize("seed", [3, 11])
async def test_the_tables_give_the_signals_of_the_log(installation: Installation, seed: int) -> None:
    timeline = mixed_timeline(seed, SYMBOLS, 1_200)
    records = [Encoded(record.value or b"", list(record.headers.items())) for record in timeline.records]
    await installation.append(records)
    await installation.record_all(real_time=False)
    live = live_signals(timeline)
    assert len(live) > 10
    source = PostgresSource(installation.engine, "as-seen", recorded_strategies=True)
    end_ms = min(timeline.core.watermarks.values()) + 1
    for step_ms in (HOUR_MS, 97_000):
        assert await replayed_signals(source, end_ms, step_ms) == live
