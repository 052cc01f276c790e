"""trade_ingest as a process against the simulated venue and a real broker: killed, orphaned, and still complete."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from libs.contracts.market import FeedStatusChanged, TradeGapChanged, TradesBootstrapped
from libs.contracts.topics import FEEDSTATUS
from libs.exchanges.decimals import scaled
from libs.streaming.admin import ensure_topics
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, Published, events_of, published, running
from tests.services.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(empty_kafka: str, tmp_path: Path) -> Iterator[IngestStack]:
    asyncio.run(ensure_topics(empty_kafka, PARTITIONS))
    with running(IngestStack(empty_kafka, "trade_ingest", tmp_path)) as started:
        yield started


async def rows_beyond(stack: IngestStack, counts: dict[str, int]) -> None:
    async def enough() -> bool:
        seen = await published(stack.bootstrap)
        return all(len(seen.ids(symbol)) > count for symbol, count in counts.items())

    await eventually(enough, 60, stack.logs)


def check_complete(stack: IngestStack, seen: Published, symbols: Sequence[str] = SYMBOLS) -> None:
    """Each id exactly once, without holes, equal to what the venue's history says."""
    assert not [hole for frame in seen.frames for hole in frame.holes]
    for symbol in symbols:
        ids = seen.ids(symbol)
        assert ids == list(range(ids[0], ids[-1] + 1)), f"{symbol}: ids skipped or doubled"
        price_decimals, quantity_decimals = seen.scale(symbol)
        truth = stack.venue_trades(symbol, ids[0], ids[-1])
        assert seen.rows(symbol) == {
            agg_id: (scaled(price, price_decimals), scaled(quantity, quantity_decimals), time)
            for agg_id, (price, quantity, time) in truth.items()
        }


async def test_a_killed_ingest_publishes_each_trade_once_over_its_lives(stack: IngestStack) -> None:
    counts = dict.fromkeys(SYMBOLS, 100)
    for _ in range(4):
        await rows_beyond(stack, counts)
        stack.ingest.kill()
        seen = await published(stack.bootstrap)
        counts = {symbol: len(seen.ids(symbol)) + 150 for symbol in SYMBOLS}
        stack.ingest.start()
    await rows_beyond(stack, counts)
    assert stack.ingest.stop() == 0
    seen = await published(stack.bootstrap)
    check_complete(stack, seen)
    assert sorted({frame.epoch for frame in seen.frames}) == [0, 1, 2, 3, 4]
    assert len(seen.bootstraps) == len(SYMBOLS), "only the first start is a fresh one"
    for bootstrap in seen.bootstraps:
        assert isinstance(bootstrap, TradesBootstrapped)
        first = min(time for _, _, time in seen.rows(bootstrap.symbol).values())
        assert len(bootstrap.minute_bars) == 240 * 4 * 8
        assert len(bootstrap.candle_bars) >= 446 * 5 * 8
        assert bootstrap.event_time_ms <= first < bootstrap.event_time_ms + 30_000, stack.logs()


async def _states(stack: IngestStack, symbol: str) -> list[str]:
    """What the feed of a symbol was said to be, in order."""
    events = await events_of(stack.bootstrap, FEEDSTATUS)
    return [event.state for event in events if isinstance(event, FeedStatusChanged) and event.symbol == symbol]


async def _all_say(stack: IngestStack, state: str) -> None:
    async def said() -> bool:
        last = [(await _states(stack, symbol) or [""])[-1] for symbol in SYMBOLS]
        return last == [state] * len(SYMBOLS)

    await eventually(said, 60, stack.logs)


async def test_the_venue_dies_and_returns(stack: IngestStack) -> None:
    await rows_beyond(stack, dict.fromkeys(SYMBOLS, 100))
    await _all_say(stack, "live")
    stack.venue.kill()
    await _all_say(stack, "down")
    seen = await published(stack.bootstrap)
    stack.venue.start()
    await rows_beyond(stack, {symbol: len(seen.ids(symbol)) + 300 for symbol in SYMBOLS})
    await _all_say(stack, "live")
    assert stack.ingest.stop() == 0
    check_complete(stack, await published(stack.bootstrap))
    for symbol in SYMBOLS:
        states = [state for state, _ in groupby(await _states(stack, symbol))]
        assert states == ["starting", "stale", "live", "down", "stale", "live"]
        changes = [e for e in await events_of(stack.bootstrap, FEEDSTATUS) if isinstance(e, TradeGapChanged)]
        # One row, or several side by side: what REST told before the stream could, and the stream then had not.
        gaps = [e for e in changes if e.symbol == symbol and e.outcome != "open"]
        assert {(gap.outcome, gap.cause, gap.unfilled) for gap in gaps} == {("filled", "disconnected", 0)}
        assert all(one.last_missing_id + 1 == other.first_missing_id for one, other in pairwise(gaps))
        assert gaps[-1].last_missing_id - gaps[0].first_missing_id >= 100, (
            "what the venue traded while it did not answer"
        )


async def test_two_ingests_at_once_are_one_to_every_reader(stack: IngestStack, tmp_path: Path) -> None:
    await rows_beyond(stack, dict.fromkeys(SYMBOLS, 100))
    doubled = ServiceProcess(
        "trade_ingest",
        stack.ingest.environment | {"PERPSTREAM_HEALTH_PORT": "0"},
        tmp_path / "twin.log",
    )
    doubled.start()
    try:
        await rows_beyond(stack, dict.fromkeys(SYMBOLS, 2500))
    finally:
        doubled.stop()
    assert stack.ingest.stop() == 0
    check_complete(stack, await published(stack.bootstrap))


async def test_an_unknown_symbol_is_one_clear_line(stack: IngestStack, tmp_path: Path) -> None:
    environment = stack.ingest.environment | {"PERPSTREAM_SYMBOLS": "BTCUSTD", "PERPSTREAM_HEALTH_PORT": "0"}
    wrong = ServiceProcess("trade_ingest", environment, tmp_path / "wrong.log")
    wrong.start()

    async def ended() -> bool:
        return not wrong.running

    await eventually(ended, 30, stack.logs)
    text = wrong.log.read_text()
    assert "the venue has no symbol BTCUSTD (PERPSTREAM_SYMBOLS): did you mean BTCUSDT" in text
    assert "Traceback" not in text
