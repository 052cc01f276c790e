"""indicator_ingest as a process: every kind of value is there, and a restart doubles none."""

from collections import Counter
from pathlib import Path

import pytest

from libs.contracts.market import MarketIndicatorObserved
from libs.contracts.topics import INDICATOR, MARKPRICE
from libs.streaming.admin import ensure_topics
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, events_of, running
from tests.services.processes import eventually

pytestmark = pytest.mark.integration
KINDS = {
    "open_interest",
    "global_long_short_account_ratio",
    "top_long_short_account_ratio",
    "top_long_short_position_ratio",
    "taker_long_short_ratio",
    "coinbase_premium",
    "funding_rate",
}


async def test_every_slow_input_arrives_with_history_and_a_restart_doubles_nothing(
    empty_kafka: str, tmp_path: Path
) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    with running(IngestStack(empty_kafka, "indicator_ingest", tmp_path)) as stack:
        await eventually(stack.ready, 90, stack.logs)
        first = await _values(stack)
        stack.ingest.kill()
        stack.ingest.start()
        await eventually(stack.ready, 90, stack.logs)
        await eventually(lambda: _marked(stack), 30, stack.logs)
        assert stack.ingest.stop() == 0
        second = await _values(stack)
    assert {(event.symbol, event.kind) for event in first} == {(symbol, kind) for symbol in SYMBOLS for kind in KINDS}
    assert len(second) >= len(first)
    assert max(Counter(event.event_id for event in second).values()) == 1
    periods = Counter((event.symbol, event.kind) for event in first if event.period == "5m")
    assert all(count == 30 for count in periods.values())
    assert len(periods) == 5 * len(SYMBOLS)
    marks = Counter((event.event_id) for event in await events_of(empty_kafka, MARKPRICE))
    assert max(marks.values()) == 1


async def _values(stack: IngestStack) -> list[MarketIndicatorObserved]:
    events = await events_of(stack.bootstrap, INDICATOR)
    return [event for event in events if isinstance(event, MarketIndicatorObserved)]


async def _marked(stack: IngestStack) -> bool:
    return bool(await events_of(stack.bootstrap, MARKPRICE))
