"""Liquidations and slow inputs of a symbol that comes and goes: each feed begins at once and ends with a word."""

import asyncio
from pathlib import Path

import pytest

from libs.contracts.market import FeedStatusChanged, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.topics import FEEDSTATUS, INDICATOR, MARKPRICE
from libs.exchanges.feed_status import NO_LONGER_FOLLOWED
from libs.streaming.admin import ensure_topics
from services.console.following import Change, change
from services.indicator_ingest.mark_prices import FEED as MARKS
from services.indicator_ingest.schedules import SCHEDULES
from services.liquidation_ingest.feed import FEED as LIQUIDATIONS
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, events_of, running
from tests.services.processes import eventually, lacking

pytestmark = pytest.mark.integration
ADDED = "SOLUSDT"
FEEDS = {"liquidation_ingest": {LIQUIDATIONS}, "indicator_ingest": {MARKS, *SCHEDULES}}


async def _last_reports(stack: IngestStack, symbol: str) -> dict[str, FeedStatusChanged]:
    events = await events_of(stack.bootstrap, FEEDSTATUS)
    return {item.feed: item for item in events if isinstance(item, FeedStatusChanged) and item.symbol == symbol}


async def _until_all_say(stack: IngestStack, symbol: str, feeds: set[str], detail: str, state: str) -> None:
    async def said() -> bool:
        reports = await _last_reports(stack, symbol)
        return {feed for feed, item in reports.items() if (item.state, item.detail) == (state, detail)} == feeds

    await eventually(said, 90, stack.logs)


@pytest.mark.parametrize(
    ("service", "all_market"),
    [("liquidation_ingest", "false"), ("liquidation_ingest", "true"), ("indicator_ingest", "false")],
)
async def test_a_symbol_comes_and_goes_and_comes_again(
    empty_kafka: str, tmp_path: Path, service: str, all_market: str
) -> None:
    await ensure_topics(empty_kafka, PARTITIONS)
    feeds = FEEDS[service]
    knobs = {"PERPSTREAM_LIQUIDATIONS_ALL_MARKET": all_market, "PERPSTREAM_SIM_LISTED": ADDED}
    with running(IngestStack(empty_kafka, service, tmp_path, **knobs)) as stack:
        for symbol in SYMBOLS:
            await _until_all_say(stack, symbol, feeds, "", "live")
        for _ in range(2):
            assert await change(empty_kafka, SYMBOLS, Change((ADDED,), followed=True))
            await _until_all_say(stack, ADDED, feeds, "", "live")
            assert await lacking(stack.health_port) == {}
            assert await change(empty_kafka, SYMBOLS, Change((ADDED,), followed=False))
            await _until_all_say(stack, ADDED, feeds, NO_LONGER_FOLLOWED, "down")
        for symbol in SYMBOLS:
            assert {item.state for item in (await _last_reports(stack, symbol)).values()} == {"live"}
        assert await asyncio.to_thread(stack.ingest.stop) == 0
    if service == "indicator_ingest":
        told = [item for item in await events_of(empty_kafka, INDICATOR) if isinstance(item, MarketIndicatorObserved)]
        assert len({item.event_id for item in told}) == len(told), "a value was told again to a symbol's second life"
        assert {item.kind for item in told if item.symbol == ADDED} == {item.kind for item in told}
        marks = [item for item in await events_of(empty_kafka, MARKPRICE) if isinstance(item, MarkPriceObserved)]
        assert len({item.event_id for item in marks if item.symbol == ADDED}) >= 2
