"""indicator_ingest under each fault alone: mark prices go on one each two seconds, and polls when the venue answers again."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.market import FeedStatusChanged, MarketIndicatorObserved, MarkPriceObserved
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings, load_settings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import MARK_PRICE_MS, MarkPriceSampler, Novelty
from services.indicator_ingest.mark_prices import MarkPriceFeed
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poller
from services.indicator_ingest.polls import polls
from services.indicator_ingest.settings import IndicatorSettings
from tests.services.exchange_simulator.running import Running, running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import eventually

SYMBOLS = ("BTCUSDT", "ETHUSDT")
SPEED = 20.0
HOUR_MS = 3_600_000
# What the reader may be behind the venue, and how far a fault's edge may be off.
EDGE_MS = 6_000


@dataclass
class Kept(OrderedPublisher):
    """Keeps what is put, in order."""

    marks: list[MarkPriceObserved] = field(default_factory=list)
    values: list[MarketIndicatorObserved] = field(default_factory=list)
    status: list[FeedStatusChanged] = field(default_factory=list)

    def put(self, item: Outgoing) -> None:
        match item.event:
            case MarkPriceObserved():
                self.marks.append(item.event)
            case MarketIndicatorObserved():
                self.values.append(item.event)
            case FeedStatusChanged():
                self.status.append(item.event)

    def steps(self, symbol: str) -> list[int]:
        """The two-second steps that have a mark price, in the order of publishing."""
        return [mark.event_time_ms // MARK_PRICE_MS for mark in self.marks if mark.symbol == symbol]

    def states(self, since_ms: int) -> set[str]:
        return {event.state for event in self.status if event.event_time_ms >= since_ms}


@dataclass(frozen=True)
class Rig:
    """The simulator and the parts of the service that a test has started."""

    run: Running
    kept: Kept

    def now_ms(self) -> int:
        return self.run.simulation.clock.now_ms()

    async def all_newer(self, times: str, than_ms: int) -> None:
        """Every symbol has a mark or value from behind that time."""

        async def there() -> bool:
            events = self.kept.marks if times == "marks" else self.kept.values
            newest = {event.symbol: event.event_time_ms for event in events}
            return all(newest.get(symbol, 0) > than_ms for symbol in SYMBOLS)

        await eventually(there, 40, lambda: f"{self.kept.status[-3:]}")

    async def over(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask for a fault and wait for its end; how it stands then."""
        number = await self.run.fault(kind, **fields)

        async def ended() -> bool:
            faults = await self.run.get("/sim/faults")
            return any(one["number"] == number and one["state"] == "ended" for one in faults)

        await eventually(ended, 40, lambda: f"fault {kind} does not end")
        [found] = [one for one in await self.run.get("/sim/faults") if one["number"] == number]
        return dict(found)


@asynccontextmanager
async def rig(folder: Path, what: str, speed: float) -> AsyncIterator[Rig]:
    async with running(folder, speed=speed, symbols=SYMBOLS, weight_limit=1_000_000) as run:
        settings = venue_settings(run.url, speed).model_copy(update={"requests_dir": folder / "requests"})
        async with open_venue(settings) as venue:
            kept = Kept()
            outlet = Outlet(kept, dict.fromkeys(SYMBOLS, 0), Novelty(), "binance", venue.clock)
            work = [asyncio.create_task(one) for one in (*await _parts(what, venue, outlet), keep_clock(venue))]
            try:
                yield Rig(run, kept)
                assert not [task for task in work if task.done()], "a part of the service has ended"
            finally:
                for task in work:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


async def _parts(what: str, venue: Venue, outlet: Outlet) -> list[Coroutine[Any, Any, None]]:
    if what == "marks":
        context = ServiceContext("indicator_ingest", ProcessSettings())
        feed = MarkPriceFeed(context, venue, outlet, MarkPriceSampler())
        return [feed.session(SYMBOLS, 15.0).run(), feed.reports.run()]
    instruments = await first_instruments(venue, SYMBOLS)
    found = polls(venue, instruments, load_settings(IndicatorSettings))
    return [Poller(poll, outlet, lambda: None).run() for poll in found if poll.feed == "open_interest"]


@dataclass(frozen=True)
class Case:
    """A fault and what must happen; `loses`: steps may be missing while it lasts."""

    name: str
    fault: dict[str, Any]
    must: str
    states: frozenset[str] = frozenset()
    loses: bool = False


LIVE_AGAIN = frozenset({"live"})
MARKS = (
    Case("drop", {"kind": "drop", "probability": 0.5}, "go on", loses=True),
    Case("silent", {"kind": "silent"}, "go on when it ends", loses=True),
    Case("duplicate", {"kind": "duplicate", "copies": 3}, "publish one of a step"),
    Case("reorder", {"kind": "reorder", "probability": 0.5}, "never go back in time", loses=True),
    Case("delay", {"kind": "delay", "by_ms": 3000}, "go on"),
    Case("late burst", {"kind": "late_burst"}, "publish what comes late"),
    Case("too old", {"kind": "wrong_time", "by_ms": -HOUR_MS}, "leave out steps that are over", loses=True),
    Case("in the future", {"kind": "wrong_time", "by_ms": HOUR_MS}, "not believe it", loses=True),
    Case("clock ahead", {"kind": "clock_skew", "by_ms": 5000}, "go on", loses=True),
    Case("clock behind", {"kind": "clock_skew", "by_ms": -5000}, "go on", loses=True),
    Case("malformed", {"kind": "malformed", "probability": 0.5}, "lose the spoilt", loses=True),
    Case("truncated", {"kind": "truncated", "probability": 0.5}, "lose the spoilt", loses=True),
    Case("unknown fields", {"kind": "unknown_fields"}, "read them"),
    Case("missing fields", {"kind": "missing_fields", "fields": ["ap"]}, "read them"),
    Case("halt", {"kind": "halt", "symbols": ["ETHUSDT"]}, "go on through it"),
    Case("status", {"kind": "status", "status": "BREAK"}, "go on"),
    Case("rotation", {"kind": "rotation"}, "connect again", frozenset({"down", "live"}), True),
    Case("disconnect", {"kind": "disconnect"}, "connect again", frozenset({"down", "live"}), True),
    Case("half open", {"kind": "half_open"}, "say silent and connect again", frozenset({"silent", "live"}), True),
)
OF_MESSAGES = {"drop", "silent", "duplicate", "reorder", "delay", "late_burst", "wrong_time", "malformed", "truncated",
               "unknown_fields", "missing_fields"}  # fmt: skip


@pytest.mark.parametrize("case", MARKS, ids=[f"{case.name}: {case.must}" for case in MARKS])
async def test_mark_prices_go_on_one_each_two_seconds(tmp_path: Path, case: Case) -> None:
    fields = dict(case.fault) | ({"streams": ["markPrice"]} if case.fault["kind"] in OF_MESSAGES else {})
    async with rig(tmp_path, "marks", SPEED) as here:
        await here.all_newer("marks", here.now_ms())
        fault = await here.over(fields.pop("kind"), for_ms=10_000, **fields)
        end_ms = max(fault["end_ms"], here.now_ms())
        if "silent" in case.states:
            await eventually(lambda: _said(here, "silent"), 30, lambda: "nobody says silent")
            end_ms = here.now_ms()
        await here.all_newer("marks", end_ms + 2 * EDGE_MS)
        assert max(mark.event_time_ms for mark in here.kept.marks) <= here.now_ms() + EDGE_MS, "a time that cannot be"
    if "live" in case.states:
        # What was told before the new connection nobody brings.
        end_ms = max(end_ms, *(event.event_time_ms for event in here.kept.status if event.state == "live"))
    assert fault["affected"] or case.fault["kind"] in ("halt", "status", "clock_skew")
    for symbol in SYMBOLS:
        steps = here.kept.steps(symbol)
        assert steps == sorted(set(steps)), "a step twice, or out of order"
        lacking = set(range(steps[0], steps[-1] + 1)) - set(steps)
        times = [step * MARK_PRICE_MS for step in lacking]
        spoilt = [time for time in times if fault["begin_ms"] - EDGE_MS <= time <= end_ms + EDGE_MS]
        assert times == (spoilt if case.loses else [])
    assert case.states <= here.kept.states(fault["begin_ms"])


async def _said(here: Rig, state: str) -> bool:
    return any(event.state == state for event in here.kept.status)


BAD = frozenset({"down", "live"})
ANSWERS = (
    Case("429 with Retry-After", {"kind": "rate_limited", "retry_after_s": 30}, "be asked later", BAD),
    Case("418", {"kind": "banned"}, "not be asked during the ban", BAD),
    *(
        Case(f"503 {text}", {"kind": "unavailable", "text": text}, "be asked again", BAD)
        for text in ("unknown", "unavailable", "internal", "throttled")
    ),
    Case("502", {"kind": "server_error"}, "be asked again", BAD),
    Case("slow body", {"kind": "slow_body", "seconds": 1.0}, "be waited for", LIVE_AGAIN),
    Case("half a page", {"kind": "truncated_page"}, "not be read", BAD),
)


@pytest.mark.parametrize("case", ANSWERS, ids=[f"{case.name}: {case.must}" for case in ANSWERS])
async def test_open_interest_comes_again_when_the_venue_answers(tmp_path: Path, case: Case) -> None:
    async with rig(tmp_path, "polls", 60.0) as here:
        await here.all_newer("values", 0)
        fields = dict(case.fault)
        fault = await here.over(fields.pop("kind"), for_ms=200_000, paths=["/fapi/v1/openInterest"], **fields)
        await here.all_newer("values", fault["end_ms"])
        entries = await here.run.ledger(fault["number"])
    assert entries, "the fault met no question"
    assert case.states <= here.kept.states(fault["begin_ms"])
    facts = [(event.symbol, event.event_time_ms) for event in here.kept.values]
    assert len(set(facts)) == len(facts), "a fact twice"
    for event in here.kept.values:
        assert event.raw is not None
        assert event.raw["symbol"] == event.symbol
        assert event.raw["time"] == event.event_time_ms
    if case.fault["kind"] == "banned":
        assert len(entries) <= len(SYMBOLS), "asked during the ban"
