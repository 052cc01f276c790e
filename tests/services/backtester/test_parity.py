"""What was recorded, replayed: the same signals, byte for byte, from the tables as from the log, in stretches of any length."""

import random

import msgspec
import pytest

from libs.contracts.codec import Encoded, encode_value
from libs.contracts.market import MarkPriceObserved
from libs.contracts.topics import AGGTRADE, MARKPRICE
from libs.indicators.settings import KernelSettings
from libs.trading.mark_prices import MarkTape, joined_marks
from services.backtester.reading import TableMarket, stretches
from services.backtester.sources import Market, Span
from services.backtester.sources.postgres import PostgresSource
from services.backtester.sources.timeline import TimelineMarket
from services.signal_engine.core import EngineCore
from tests.services.paper_trader.logs import near_trades
from tests.services.recorder.conftest import Installation
from tests.services.signal_engine.timelines import (
    START_MS,
    TimelineFactory,
    bootstrap,
    mark_price,
    mixed_timeline,
    random_frames,
)

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


def told_late(seed: int) -> TimelineFactory:
    """Trades, and each mark price some frames after its time, so that its place is behind what was proven by then."""
    dice, made = random.Random(seed), TimelineFactory()
    made.fence()
    waiting: list[MarkPriceObserved] = []
    for symbol in SYMBOLS:
        made.copy(AGGTRADE, bootstrap(symbol, seed))
    for number, frame in enumerate(random_frames(seed, SYMBOLS, 400)):
        told = mark_price(SYMBOLS[number % 3], frame.event_time_ms, 10_000)
        waiting.append(msgspec.structs.replace(near_trades(told, dice), event_time_ms=frame.event_time_ms))
        made.copy(AGGTRADE, frame)
        if dice.random() < 0.3:
            for each in waiting:
                made.copy(MARKPRICE, each)
            waiting.clear()
    return made


async def replayed_marks(market: Market, end_ms: int, step_ms: int) -> dict[str, tuple[list[int], ...]]:
    """Each symbol's steps, from readers that were asked for them."""
    parts: dict[str, list[MarkTape]] = {}
    for reader in await market.readers(SYMBOLS, Span(START_MS, end_ms), KERNEL, ()):
        reader.keep_mark_prices()
        await reader.begin()
        for until_ms in stretches(Span(START_MS, end_ms), step_ms):
            for part in await reader.advance(until_ms):
                assert part.marks is not None
                parts.setdefault(part.symbol, []).append(part.marks)
        await reader.close()
    joined = {symbol: joined_marks(found) for symbol, found in parts.items()}
    return {symbol: (one.time_ms.tolist(), one.low.tolist(), one.high.tolist()) for symbol, one in joined.items()}


async def test_the_tables_give_the_mark_prices_of_the_log_when_they_were_known(installation: Installation) -> None:
    timeline = told_late(7)
    await installation.append(
        [Encoded(record.value or b"", list(record.headers.items())) for record in timeline.records]
    )
    await installation.record_all(real_time=False)
    tables, log = TableMarket(PostgresSource(installation.engine, "as-seen")), TimelineMarket(installation.bootstrap)
    end_ms = min(timeline.core.watermarks.values()) + 1
    expected = await replayed_marks(log, end_ms, HOUR_MS)
    assert all(len(times) > 50 for times, _, _ in expected.values())
    for market in (tables, log):
        assert await replayed_marks(market, end_ms, 7_000) == expected
