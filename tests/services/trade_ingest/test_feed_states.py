"""What is told of feeds under faults: silence, halts, changes of connection; and what that costs at the venue."""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.market import AggTradeFrame, FeedStatusChanged, TradeGapChanged
from libs.contracts.topics import AGGTRADE, FEEDSTATUS
from libs.streaming.admin import ensure_topics
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, events_of, published, running
from tests.services.processes import eventually
from tests.services.trade_ingest.test_on_kafka import check_complete

pytestmark = pytest.mark.integration
SPEED = 5
BTC, ETH = SYMBOLS
Start = Callable[..., IngestStack]


@pytest.fixture
def start(empty_kafka: str, tmp_path: Path) -> Iterator[Start]:
    asyncio.run(ensure_topics(empty_kafka, PARTITIONS))
    stacks: list[Any] = []

    def started(**knobs: str) -> IngestStack:
        stack = IngestStack(empty_kafka, "trade_ingest", tmp_path, PERPSTREAM_VENUE_SPEED=str(SPEED), **knobs)
        stack.venue.environment |= {"PERPSTREAM_SIM_SPEED": str(SPEED), "PERPSTREAM_SIM_RATE": "100"}
        stacks.append(running(stack))
        return stacks[-1].__enter__()  # type: ignore[no-any-return]

    yield started
    for stack in stacks:
        stack.__exit__(None, None, None)


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def fault(stack: IngestStack, **fault: object) -> None:
    ask(f"{stack.url}/sim/faults", fault)


def counted(stack: IngestStack, metric: str, label: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.health_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(metric) and label in line)


def questions(stack: IngestStack, path: str) -> int:
    """How often the service has asked the venue for it."""
    return counted(stack, "perpstream_requests_total", path)


def reconnects(stack: IngestStack) -> int:
    """How many connections it has opened after the first."""
    return counted(stack, "perpstream_reconnects_total", "trades")


async def reports(stack: IngestStack, symbol: str) -> list[FeedStatusChanged]:
    events = await events_of(stack.bootstrap, FEEDSTATUS)
    return [event for event in events if isinstance(event, FeedStatusChanged) and event.symbol == symbol]


async def until_said(stack: IngestStack, symbol: str, state: str, seconds: float = 60) -> FeedStatusChanged:
    async def said() -> bool:
        return [report.state for report in await reports(stack, symbol)][-1:] == [state]

    await eventually(said, seconds, stack.logs)
    return (await reports(stack, symbol))[-1]


async def until_rows(stack: IngestStack, symbol: str, more: int) -> None:
    begun = len((await published(stack.bootstrap)).ids(symbol))

    async def there() -> bool:
        return len((await published(stack.bootstrap)).ids(symbol)) >= begun + more

    await eventually(there, 60, stack.logs)


async def test_a_stream_that_is_subscribed_but_silent_is_noticed_and_nothing_is_proven_by_it(start: Start) -> None:
    stack = start()
    await until_said(stack, ETH, "live")
    begun = ask(f"{stack.url}/fapi/v1/time")["serverTime"]
    fault(stack, kind="silent", symbols=[ETH], for_ms=60_000)
    report = await until_said(stack, ETH, "silent")
    assert report.event_time_ms - begun < 30_000
    assert "did not come" in report.detail
    assert {one.state for one in await reports(stack, BTC)} <= {"starting", "stale", "live"}
    # Before the verdict and after it, no watermark is beyond what the venue had told us of.
    await until_said(stack, ETH, "live", 90)
    await until_rows(stack, ETH, 50)
    assert stack.ingest.stop() == 0
    seen = await published(stack.bootstrap)  # refuses rows at or below a published watermark
    check_complete(stack, seen)
    late = sum(len(frame.late_row) // 4 for frame in seen.frames)
    assert late == 0, "a watermark that follows a silent stream makes its trades late"
    gaps = [e for e in await events_of(stack.bootstrap, FEEDSTATUS) if isinstance(e, TradeGapChanged)]
    assert {(gap.symbol, gap.cause) for gap in gaps} == {(ETH, "silent")}
    assert {gap.outcome for gap in gaps} <= {"open", "filled"}
    filled = {
        n for gap in gaps if gap.outcome == "filled" for n in range(gap.first_missing_id, gap.last_missing_id + 1)
    }
    ledger = ask(f"{stack.url}/sim/faults/ledger?limit=100000")
    swallowed = {n for one in ledger if one["kind"] == "silent" for a, b in one["ids"] for n in range(a, b + 1)}
    assert swallowed, "the fault met nothing"
    assert swallowed <= filled, "what the stream did not bring stands in a gap, whoever brought it"


async def test_a_halt_is_no_alarm_and_its_watermark_goes_on(start: Start) -> None:
    stack = start()
    await until_said(stack, ETH, "live")
    await until_rows(stack, ETH, 200)
    fault(stack, kind="halt", symbols=[ETH], for_ms=90_000)
    report = await until_said(stack, ETH, "halted")
    assert "while others are traded" in report.detail
    assert "silent" not in {one.state for one in await reports(stack, ETH)}
    frames = [event for event in await events_of(stack.bootstrap, AGGTRADE) if isinstance(event, AggTradeFrame)]
    newest = {part.symbol: part.watermark_ms for frame in frames for part in frame.slices}
    assert abs(newest[ETH] - newest[BTC]) < 10_000, "that nobody trades is proven"
    await until_said(stack, ETH, "live", 90)


async def test_a_symbol_that_the_venue_takes_off_is_halted(start: Start) -> None:
    stack = start()
    await until_said(stack, ETH, "live")
    fault(stack, kind="delisting", symbols=[ETH])
    assert "SETTLING" in (await until_said(stack, ETH, "halted")).detail


async def test_planned_rotations_ask_nothing_and_lose_nothing(start: Start) -> None:
    stack = start(PERPSTREAM_TRADES_ROTATE_MINUTES=str(20 * SPEED / 60 / 4))
    for symbol in SYMBOLS:
        await until_said(stack, symbol, "live")
    asked = questions(stack, "aggTrades")
    opened = reconnects(stack)

    async def rotated() -> bool:
        return reconnects(stack) >= opened + 3

    await eventually(rotated, 90, stack.logs)
    await until_rows(stack, BTC, 50)
    assert questions(stack, "aggTrades") == asked
    for symbol in SYMBOLS:
        states = [state for state, _ in groupby(one.state for one in await reports(stack, symbol))]
        assert states == ["starting", "stale", "live"]
    assert stack.ingest.stop() == 0
    check_complete(stack, await published(stack.bootstrap))


async def test_with_two_connections_the_loss_of_one_asks_nothing_and_loses_nothing(start: Start) -> None:
    stack = start(PERPSTREAM_TRADES_CONNECTIONS="2")
    for symbol in SYMBOLS:
        await until_said(stack, symbol, "live")
    asked = questions(stack, "aggTrades")
    for kind in ("disconnect", "rotation", "half_open", "disconnect"):
        opened = reconnects(stack)
        fault(stack, kind=kind, connections="oldest", path="/market")

        async def replaced(before: int = opened) -> bool:
            return reconnects(stack) > before

        await eventually(replaced, 60, stack.logs)
        await until_rows(stack, BTC, 200)
    assert questions(stack, "aggTrades") == asked
    assert stack.ingest.stop() == 0
    seen = await published(stack.bootstrap)
    check_complete(stack, seen)
    assert {one.state for one in await reports(stack, BTC)} == {"starting", "stale", "live"}


async def test_a_restarted_process_goes_on_counting(start: Start) -> None:
    stack = start()
    await until_said(stack, BTC, "live")
    for _ in range(2):
        fault(stack, kind="disconnect", for_ms=5000)
        await until_said(stack, BTC, "down")
        await until_said(stack, BTC, "live")
    stack.ingest.kill()
    stack.ingest.start()

    async def counted() -> bool:
        return (await reports(stack, BTC))[-1].gaps_filled >= 3

    await eventually(counted, 60, stack.logs)
    last = (await reports(stack, BTC))[-1]
    assert (last.gaps_open, last.completeness_1h_ppm) == (0, 1_000_000)
    causes = [e.cause for e in await events_of(stack.bootstrap, FEEDSTATUS)
              if isinstance(e, TradeGapChanged) and e.symbol == BTC and e.outcome == "filled"]  # fmt: skip
    assert causes == ["disconnected", "disconnected", "restart"]
