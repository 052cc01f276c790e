"""Mark prices under each fault alone: one each two seconds, exactly those that the venue's ledger leaves.

What the polls make of faults of REST stands in `test_polls_under_fault.py` and `test_premium_under_fault.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.market import FeedStatusChanged, MarkPriceObserved
from libs.exchanges.mark_prices import MARK_PRICE_MS, MarkPriceSampler
from libs.exchanges.venue import keep_clock, open_venue
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import Novelty
from services.indicator_ingest.mark_prices import MarkPriceFeed
from services.indicator_ingest.outlet import Outlet
from tests.services.exchange_simulator.running import Running, running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import beside, eventually
from tests.support.patient_time import run_patiently

SYMBOLS = ("BTCUSDT", "ETHUSDT")
SPEED = 20.0
HOUR_MS = 3_600_000
# What the reader may be behind the venue, and how far a fault's edge may be off.
EDGE_MS = 6_000
AT_ONCE = 6


@dataclass
class Kept(OrderedPublisher):
    """Keeps what is put, in order."""

    marks: list[MarkPriceObserved] = field(default_factory=list)
    status: list[FeedStatusChanged] = field(default_factory=list)

    def put(self, item: Outgoing) -> None:
        match item.event:
            case MarkPriceObserved():
                self.marks.append(item.event)
            case FeedStatusChanged():
                self.status.append(item.event)

    def states(self, since_ms: int) -> set[str]:
        return {event.state for event in self.status if event.event_time_ms >= since_ms}


@dataclass(frozen=True)
class Rig:
    """The simulator and the parts of the service that a test has started."""

    run: Running
    kept: Kept

    def now_ms(self) -> int:
        return self.run.simulation.clock.now_ms()

    async def all_newer(self, than_ms: int) -> None:
        """Every symbol has a mark from behind that time."""

        async def there() -> bool:
            newest = {event.symbol: event.event_time_ms for event in self.kept.marks}
            return all(newest.get(symbol, 0) > than_ms for symbol in SYMBOLS)

        await eventually(there, 40, lambda: f"{self.kept.status[-3:]}")

    def told(self, symbol: str, first_ms: int, last_ms: int) -> list[int]:
        """The event times (both inclusive) that the venue has told of, or would have without a fault."""
        names = frozenset((f"{symbol.lower()}@markPrice@1s",))
        return [event.event_ms for event in self.run.simulation.market.side_events(first_ms - 1, last_ms, names)]

    async def over(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask for a fault and wait for its end; how it stands then."""
        number = await self.run.fault(kind, **{name: one for name, one in fields.items() if one is not None})

        async def ended() -> bool:
            faults = await self.run.get("/sim/faults")
            states = {one["number"]: one for one in faults}
            # What is for good is waited for as long as the others last.
            over = states[number]["begin_ms"] + 10_000 < self.now_ms()
            return states[number]["state"] == "ended" or (states[number]["end_ms"] is None and over)

        await eventually(ended, 40, lambda: f"fault {kind} does not end")
        [found] = [one for one in await self.run.get("/sim/faults") if one["number"] == number]
        return dict(found)


@asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    async with running(folder / "venue", speed=SPEED, symbols=SYMBOLS, weight_limit=1_000_000) as run:
        settings = venue_settings(run.url, SPEED).model_copy(update={"requests_dir": folder / "requests"})
        async with open_venue(settings) as venue:
            kept, context = Kept(), ServiceContext("indicator_ingest", ProcessSettings())
            outlet = Outlet(kept, dict.fromkeys(SYMBOLS, 0), Novelty(), "binance", venue.clock)
            feed = MarkPriceFeed(context, venue, outlet, MarkPriceSampler())
            parts = (feed.session(SYMBOLS, 15.0).run(), feed.reports.run(), keep_clock(venue))
            async with beside(*parts):
                yield Rig(run, kept)


# --- what may be missing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aftermath:
    """One symbol's marks when a case is over: event times the venue told, those that the fault touched, those published.

    `away`: from the fault until the connection was there again.
    """

    told: list[int]
    touched: set[int]
    published: list[int]
    away: range
    by_ms: int

    @property
    def lacking(self) -> set[int]:
        """Steps without a mark."""
        return {time // MARK_PRICE_MS for time in self.told} - {time // MARK_PRICE_MS for time in self.published}


def first_of_each_step(times: list[int]) -> list[int]:
    """What is to be published of messages that come in this order."""
    found: list[int] = []
    for time in times:
        if not found or time // MARK_PRICE_MS > found[-1] // MARK_PRICE_MS:
            found.append(time)
    return found


def nothing_lost(after: Aftermath) -> None:
    assert after.published == first_of_each_step(after.told)


def exactly_these_lost(after: Aftermath) -> None:
    assert after.touched
    assert after.published == first_of_each_step([time for time in after.told if time not in after.touched])


def told_at_other_times(after: Aftermath) -> None:
    """The stamp counts: what it says of steps that are over is left out, also when the clock is right again."""
    assert after.touched
    stated = [time + after.by_ms * (time in after.touched) for time in after.told]
    assert after.published == first_of_each_step(stated)


def only_overtaken_lost(after: Aftermath) -> None:
    """A mark that newer ones have overtaken is of no use; all others come."""
    assert after.touched
    assert set(after.published) <= set(after.told)
    assert after.lacking <= {time // MARK_PRICE_MS for time in after.touched}


def lost_while_away(after: Aftermath) -> None:
    """What was told between the fault and the next connection nobody brings."""
    assert set(after.published) <= set(after.told)
    assert {step for step in after.lacking if step * MARK_PRICE_MS not in after.away} == set()


# --- the cases --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A fault, what must happen, and the states that the feed must show."""

    name: str
    fault: dict[str, Any]
    must: str
    then: Callable[[Aftermath], None]
    states: frozenset[str] = frozenset()
    for_ms: int | None = 10_000


LOST = frozenset({"down", "live"})
SILENT = frozenset({"silent", "live"})
CASES = (
    Case("drop", {"kind": "drop", "probability": 0.5}, "lose those of the ledger and no other", exactly_these_lost),
    Case("silent", {"kind": "silent"}, "lose those of the ledger and no other", exactly_these_lost),
    Case("all silent", {"kind": "silent"}, "say silent and connect again", lost_while_away, SILENT, 160_000),
    Case("duplicate", {"kind": "duplicate", "copies": 3}, "publish one of a step", nothing_lost),
    Case("reorder", {"kind": "reorder", "probability": 0.5}, "never go back in time", only_overtaken_lost),
    Case("delay", {"kind": "delay", "by_ms": 3000}, "publish what is not overtaken", only_overtaken_lost),
    Case("late burst", {"kind": "late_burst"}, "publish what comes late", nothing_lost),
    Case("too old", {"kind": "wrong_time", "by_ms": -HOUR_MS}, "leave out steps that are over", exactly_these_lost),
    Case("in the future", {"kind": "wrong_time", "by_ms": HOUR_MS}, "not believe it", exactly_these_lost),
    Case("clock ahead", {"kind": "clock_skew", "by_ms": 5000}, "go by the stamps", told_at_other_times),
    Case("clock behind", {"kind": "clock_skew", "by_ms": -5000}, "go by the stamps", told_at_other_times),
    Case("malformed", {"kind": "malformed", "probability": 0.5}, "lose the spoilt", exactly_these_lost),
    Case("truncated", {"kind": "truncated", "probability": 0.5}, "lose the spoilt", exactly_these_lost),
    Case("unknown fields", {"kind": "unknown_fields"}, "read them", nothing_lost),
    Case("missing fields", {"kind": "missing_fields", "fields": ["ap"]}, "read them", nothing_lost),
    Case("halt", {"kind": "halt", "symbols": ["ETHUSDT"]}, "go on through it", nothing_lost),
    Case("status", {"kind": "status", "status": "BREAK"}, "go on", nothing_lost),
    Case(
        "delisting",
        {"kind": "delisting", "symbols": ["ETHUSDT"]},
        "go on for as long as the venue tells them",
        nothing_lost,
        for_ms=None,
    ),
    Case("rotation", {"kind": "rotation"}, "connect again", lost_while_away, LOST),
    Case("disconnect", {"kind": "disconnect"}, "connect again", lost_while_away, LOST, 40_000),
    Case("half open", {"kind": "half_open"}, "say silent and connect again", lost_while_away, SILENT),
)
OF_MESSAGES = {"drop", "silent", "duplicate", "reorder", "delay", "late_burst", "wrong_time", "malformed", "truncated",
               "unknown_fields", "missing_fields"}  # fmt: skip


async def live_through(folder: Path, case: Case) -> list[Aftermath]:
    """From before the fault until marks of behind it are there; what holds of every case is checked here."""
    fields = dict(case.fault) | ({"streams": ["markPrice"]} if case.fault["kind"] in OF_MESSAGES else {})
    async with rig(folder) as here:
        await here.all_newer(here.now_ms())
        fault = await here.over(fields.pop("kind"), for_ms=case.for_ms, **fields)
        if case.states:
            await eventually(lambda: _back(here, case, fault), 30, lambda: f"{here.kept.status[-4:]}")
        end_ms = here.now_ms()
        await here.all_newer(end_ms + 2 * EDGE_MS)
        assert max(mark.event_time_ms for mark in here.kept.marks) <= here.now_ms() + EDGE_MS, "a time that cannot be"
        entries = await here.run.ledger(fault["number"])
        aftermaths = [_aftermath(here, symbol, fault, entries, end_ms) for symbol in SYMBOLS]
    assert fault["affected"] or case.fault["kind"] in ("halt", "status", "clock_skew", "delisting")
    return aftermaths


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Aftermath] | BaseException]:
    """Some cases at once, each with its own venue: they wait most of the time. All of them would keep one loop so busy that time,
    which runs fast here, would jump for clients."""

    async def all_of_them(folder: Path) -> list[list[Aftermath] | BaseException]:
        some = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> list[Aftermath]:
            async with some:
                return await live_through(folder / case.name, case)

        return await asyncio.gather(*(one(case) for case in CASES), return_exceptions=True)

    found = run_patiently(all_of_them(tmp_path_factory.mktemp("marks")))
    return {case.name: one for case, one in zip(CASES, found, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}: {case.must}" for case in CASES])
def test_mark_prices_go_on_one_each_two_seconds(
    lived_through: dict[str, list[Aftermath] | BaseException], case: Case
) -> None:
    found = lived_through[case.name]
    if isinstance(found, BaseException):
        raise found
    for after in found:
        case.then(after)


def _aftermath(here: Rig, symbol: str, fault: dict[str, Any], entries: list[dict[str, Any]], end_ms: int) -> Aftermath:
    published = [mark.event_time_ms for mark in here.kept.marks if mark.symbol == symbol]
    assert len(published) == len(first_of_each_step(published)), "a step twice, or out of order"
    return Aftermath(
        here.told(symbol, published[0], published[-1]),
        {time for one in entries if one.get("symbol") == symbol for time in one.get("times", [])},
        published,
        range(fault["begin_ms"] - EDGE_MS, end_ms + EDGE_MS),
        fault["fault"].get("by_ms", 0),
    )


async def _back(here: Rig, case: Case, fault: dict[str, Any]) -> bool:
    """The feed has said what it must, and the last that was said of each symbol is that it delivers."""
    last = {event.symbol: event.is_live for event in here.kept.status}
    return case.states <= here.kept.states(fault["begin_ms"]) and all(last.values())
