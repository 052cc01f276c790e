"""indicator_ingest as a process: every kind of value is there with its history, and a kill doubles and loses none."""

from collections import Counter
from pathlib import Path

import pytest

from libs.contracts.event import Event
from libs.contracts.market import IndicatorHistoryCompleted, MarketIndicatorObserved
from libs.contracts.topics import INDICATOR, INDICATOR_HISTORY, MARKPRICE
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
PERIOD_KINDS = KINDS - {"coinbase_premium", "funding_rate"}


async def test_every_slow_input_arrives_with_its_history_and_a_kill_doubles_and_loses_nothing(
    empty_kafka: str, tmp_path: Path
) -> None:
    """A day of history, killed while it is being fetched and while mark prices come."""
    await ensure_topics(empty_kafka, PARTITIONS)
    stack = IngestStack(empty_kafka, "indicator_ingest", tmp_path, PERPSTREAM_INDICATORS_HISTORY_DAYS="1")
    with running(stack):
        await eventually(stack.ready, 90, stack.logs)
        ready = await _values(stack)
        assert {(item.symbol, item.kind) for item in ready} == {(symbol, kind) for symbol in SYMBOLS for kind in KINDS}
        await eventually(lambda: _whole_series(stack, 3), 60, stack.logs)
        stack.ingest.kill()
        killed_at = max(event.event_time_ms for event in await events_of(empty_kafka, MARKPRICE))
        stack.ingest.start()
        await eventually(stack.ready, 90, stack.logs)
        await eventually(lambda: _whole_series(stack, len(PERIOD_KINDS) * len(SYMBOLS)), 90, stack.logs)
        await eventually(lambda: _marked_after(stack, killed_at), 30, stack.logs)
        assert stack.ingest.stop() == 0
        values = await _values(stack)
        marks = await events_of(empty_kafka, MARKPRICE)
    assert max(Counter(event.event_id for event in values).values()) == 1
    times: dict[tuple[str, str], list[int]] = {}
    for item in values:
        if item.period == "5m":
            times.setdefault((item.symbol, item.kind), []).append(item.event_time_ms)
    assert set(times) == {(symbol, kind) for symbol in SYMBOLS for kind in PERIOD_KINDS}
    for series, found in times.items():
        assert sorted(found) == list(range(min(found), max(found) + 1, 300_000)), series
        assert max(found) - min(found) >= 23 * 3_600_000, "a day, less the margin"
    _check_steps(marks, killed_at)


def _check_steps(marks: list[Event], killed_at: int) -> None:
    """One mark price in each two seconds of venue time, but for those in which nobody listened."""
    for symbol in SYMBOLS:
        steps = [mark.event_time_ms // 2000 for mark in marks if getattr(mark, "symbol", "") == symbol]
        assert steps == sorted(set(steps)), "no step twice, in time order"
        before = [step for step in steps if step <= killed_at // 2000]
        after = [step for step in steps if step > killed_at // 2000]
        for run in (before, after):
            assert run == list(range(run[0], run[-1] + 1)), "none is lost while we listen"


async def _values(stack: IngestStack) -> list[MarketIndicatorObserved]:
    events = await events_of(stack.bootstrap, INDICATOR)
    return [event for event in events if isinstance(event, MarketIndicatorObserved)]


async def _whole_series(stack: IngestStack, least: int) -> bool:
    """Whether the last marks of at least so many series speak of no hole."""
    last: dict[tuple[str, str, str | None], int] = {}
    for event in await events_of(stack.bootstrap, INDICATOR_HISTORY):
        if isinstance(event, IndicatorHistoryCompleted):
            last[event.symbol, event.kind, event.period] = event.live_to_ms
    return list(last.values()).count(-1) >= least


async def _marked_after(stack: IngestStack, time_ms: int) -> bool:
    marks = await events_of(stack.bootstrap, MARKPRICE)
    newest = {getattr(mark, "symbol", ""): mark.event_time_ms for mark in marks}
    return all(newest.get(symbol, 0) > time_ms + 4_000 for symbol in SYMBOLS)
