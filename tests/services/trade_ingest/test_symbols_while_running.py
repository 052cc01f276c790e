"""A symbol added while others run begins as at a start and costs the others nothing; removed and added again it goes on."""

import asyncio
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from libs.contracts.market import FeedStatusChanged, TradeGapChanged, TradesBootstrapped
from libs.contracts.topics import FEEDSTATUS
from libs.exchanges.feed_status import NO_LONGER_FOLLOWED
from libs.streaming.admin import ensure_topics
from services.console.following import Change, change
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, events_of, published, running
from tests.services.processes import eventually, lacking
from tests.services.trade_ingest.test_feed_states import ask, counted, fault
from tests.services.trade_ingest.test_on_kafka import check_complete, rows_beyond

pytestmark = pytest.mark.integration
ADDED = "SOLUSDT"


@pytest.fixture
def stack(empty_kafka: str, tmp_path: Path) -> Iterator[IngestStack]:
    asyncio.run(ensure_topics(empty_kafka, PARTITIONS))
    with running(IngestStack(empty_kafka, "trade_ingest", tmp_path, PERPSTREAM_SIM_LISTED=ADDED)) as started:
        yield started


async def _say(stack: IngestStack, symbol: str, *, followed: bool) -> None:
    assert await change(stack.bootstrap, SYMBOLS, Change((symbol,), followed))


async def _reports(stack: IngestStack, symbol: str) -> list[tuple[str, str]]:
    """State and detail of each report of the symbol, in order."""
    events = await events_of(stack.bootstrap, FEEDSTATUS)
    return [
        (item.state, item.detail) for item in events if isinstance(item, FeedStatusChanged) and item.symbol == symbol
    ]


async def _until_last_is(stack: IngestStack, symbol: str, state: str) -> None:
    async def said() -> bool:
        reports = await _reports(stack, symbol)
        return bool(reports) and reports[-1][0] == state

    await eventually(said, 90, stack.logs)


async def _more(stack: IngestStack, *symbols: str) -> None:
    seen = await published(stack.bootstrap)
    await rows_beyond(stack, {symbol: len(seen.ids(symbol)) + 200 for symbol in symbols})


def _asked_for(stack: IngestStack) -> set[str]:
    """Of which symbols trades were asked for by REST, by the venue's own account."""
    ledger = ask(f"{stack.url}/sim/faults/ledger")
    return {entry["symbol"] for entry in ledger if entry.get("symbol")}


async def test_an_added_symbol_begins_as_at_a_start_and_disturbs_nobody(stack: IngestStack) -> None:
    await _more(stack, *SYMBOLS)
    for symbol in SYMBOLS:
        await _until_last_is(stack, symbol, "live")
    fault(stack, kind="slow_body", seconds=0.001, paths=["/fapi/v1/aggTrades"])

    await _say(stack, ADDED, followed=True)
    await _more(stack, ADDED, *SYMBOLS)
    await _until_last_is(stack, ADDED, "live")
    assert await lacking(stack.health_port) == {}
    assert _asked_for(stack) == {ADDED}

    await _say(stack, ADDED, followed=False)
    await _until_last_is(stack, ADDED, "down")
    assert (await _reports(stack, ADDED))[-1][1] == NO_LONGER_FOLLOWED
    until = len((await published(stack.bootstrap)).ids(ADDED))
    await _more(stack, *SYMBOLS)
    assert len((await published(stack.bootstrap)).ids(ADDED)) == until

    await _say(stack, ADDED, followed=True)
    await _more(stack, ADDED, *SYMBOLS)
    await _until_last_is(stack, ADDED, "live")
    assert _asked_for(stack) == {ADDED}
    assert counted(stack, "perpstream_reconnects_total", "trades") == 0
    for symbol in SYMBOLS:
        assert [state for state, _ in groupby(state for state, _ in await _reports(stack, symbol))][-1] == "live"
        assert "down" not in {state for state, _ in await _reports(stack, symbol)}

    stack.ingest.kill()
    stack.ingest.start()
    await _more(stack, ADDED, *SYMBOLS)
    assert stack.ingest.stop() == 0
    seen = await published(stack.bootstrap)
    check_complete(stack, seen, (*SYMBOLS, ADDED))
    begun = [item for item in seen.bootstraps if isinstance(item, TradesBootstrapped) and item.symbol == ADDED]
    assert [(len(item.minute_bars), item.epoch) for item in begun] == [(240 * 4 * 8, 0)], "once, and while running"
    gaps = [item for item in await events_of(stack.bootstrap, FEEDSTATUS) if isinstance(item, TradeGapChanged)]
    assert {item.outcome for item in gaps if item.symbol == ADDED} == {"open", "filled"}, "while it was not followed"


async def test_a_symbol_that_the_venue_does_not_have_is_a_warning(stack: IngestStack) -> None:
    await _say(stack, "SOLUSTD", followed=True)
    await _say(stack, ADDED, followed=True)
    await _more(stack, ADDED, *SYMBOLS)
    assert "the venue has no symbol SOLUSTD" in stack.ingest.log.read_text()
    stack.ingest.kill()
    stack.ingest.start()
    await _more(stack, ADDED, *SYMBOLS)
    assert stack.ingest.log.read_text().count("Traceback") == 0
