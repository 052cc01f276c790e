"""What was recorded, replayed: the same signals, byte for byte, from the tables as from the log, in stretches of any length."""

import pytest

from libs.contracts.codec import Encoded, encode_value
from libs.indicators.settings import KernelSettings
from services.backtester.reading import TableMarket, stretches
from services.backtester.sources import Market, Span
from services.backtester.sources.postgres import PostgresSource
from services.backtester.sources.timeline import TimelineMarket
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


async def replayed_signals(market: Market, end_ms: int, step_ms: int) -> list[bytes]:
    """What the engine over columns says of the same log."""
    span = Span(START_MS - 24 * HOUR_MS, end_ms)
    found: list[bytes] = []
    for reader in await market.readers(await market.symbols(), span, KERNEL, ()):
        await reader.begin()
        for until_ms in stretches(Span(START_MS, end_ms), step_ms):
            parts = await reader.advance(until_ms)
            found += [encode_value(signal) for part in parts for item in part.evaluations for signal in item.signals]
        await reader.close()
    return sorted(found)


@pytest.mark.parametrize("seed", [3, 11])
async def test_the_tables_give_the_signals_of_the_log(installation: Installation, seed: int) -> None:
    timeline = mixed_timeline(seed, SYMBOLS, 1_200)
    records = [Encoded(record.value or b"", list(record.headers.items())) for record in timeline.records]
    await installation.append(records)
    await installation.record_all(real_time=False)
    live = live_signals(timeline)
    assert len(live) > 10
    tables = TableMarket(PostgresSource(installation.engine, "as-seen"))
    log = TimelineMarket(installation.bootstrap)
    end_ms = min(timeline.core.watermarks.values()) + 1
    for step_ms in (HOUR_MS, 97_000):
        assert await replayed_signals(tables, end_ms, step_ms) == live
        assert await replayed_signals(log, end_ms, step_ms) == live
