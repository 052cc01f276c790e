"""liquidation_ingest under each fault alone: what must be published of the forced orders, by the venue's own ledger.

Of every case: no order twice, none that the venue has not told of our symbols, and none missing but what `lost` allows.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.market import FeedStatusChanged, LiquidationObserved
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.venue import keep_clock, open_venue
from libs.kit.metrics import REGISTRY
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings, load_settings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.liquidation_ingest.feed import FEED, Channel, LiquidationFeed
from services.liquidation_ingest.settings import LiquidationSettings
from tests.services.exchange_simulator.running import Running, running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import beside, eventually
from tests.support.patient_time import run_patiently

OURS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT")
FOREIGN = ("ADAUSDT", "LINKUSDT")
SPEED = 100.0
HOUR_MS = 3_600_000
# Real seconds until an operator must see that a feed is lost.
TOLD_WITHIN_SECONDS = 30
# Venue time that is let pass behind a fault, and what the reader may be behind the venue.
SETTLE_MS, BEHIND_MS = 20_000, 10_000
EDGE = 5_000
Key = tuple[str, str, int, Decimal, Decimal]


@dataclass
class Kept(OrderedPublisher):
    """Keeps what is put, in order."""

    orders: list[LiquidationObserved] = field(default_factory=list)
    status: list[FeedStatusChanged] = field(default_factory=list)

    def put(self, item: Outgoing) -> None:
        if isinstance(item.event, LiquidationObserved):
            self.orders.append(item.event)
        elif isinstance(item.event, FeedStatusChanged):
            self.status.append(item.event)

    @property
    def live(self) -> bool:
        """Whether the last that was said of each symbol is that it delivers."""
        last = {event.symbol: event.is_live for event in self.status}
        return len(last) == len(OURS) and all(last.values())


@dataclass(frozen=True)
class Aftermath:
    """One case when it is over. `told`: event time of each order of our symbols that the venue told while we looked."""

    told: dict[Key, int]
    published: list[Key]
    entries: list[dict[str, Any]]
    status: list[FeedStatusChanged]
    duplicates: int
    dropped: float
    reconnects: float
    begin_ms: int
    end_ms: int
    speed: float

    @property
    def missing(self) -> set[Key]:
        return set(self.told) - set(self.published)

    def touched(self) -> set[Key]:
        """Orders that the ledger names. A fault that met none has tested nothing."""
        times = {(one["symbol"], time) for one in self.entries for time in one.get("times", [])}
        found = {key for key, event_ms in self.told.items() if (key[0], event_ms) in times}
        assert found, "the fault met no order"
        return found

    def said(self, state: str, since_ms: int) -> FeedStatusChanged:
        """The first report of that state from then on."""
        return next(event for event in self.status if event.state == state and event.event_time_ms >= since_ms)


Then = Callable[[Aftermath], None]


# --- outcomes ---------------------------------------------------------------------------------------------------------


def nothing_lost(after: Aftermath) -> None:
    assert after.touched()
    assert not after.missing
    assert after.dropped == 0


def copies_removed(after: Aftermath) -> None:
    nothing_lost(after)
    assert after.duplicates >= len(after.touched())


def exactly_these_lost(after: Aftermath) -> None:
    assert after.missing == after.touched()
    assert after.dropped == 0
    assert after.reconnects == 0


def each_costs_itself(after: Aftermath) -> None:
    assert after.missing == after.touched()
    assert after.dropped == sum(one["count"] for one in after.entries)
    assert after.reconnects == 0


def not_believed(after: Aftermath) -> None:
    nothing_lost(after)
    assert {
        event.last_event_time_ms for event in after.status if event.last_event_time_ms > after.begin_ms + HOUR_MS // 2
    } == set()


def market_goes_on(after: Aftermath) -> None:
    assert not after.missing
    assert after.dropped == 0
    assert after.reconnects == 0


def lost_while(state: str) -> Then:
    """Only what was told between the fault and the next connection is missing, since no question brings it back."""

    def check(after: Aftermath) -> None:
        lost = after.said(state, after.begin_ms)
        back = after.said("live", lost.event_time_ms)
        assert lost.event_time_ms - after.begin_ms <= TOLD_WITHIN_SECONDS * 1000 * after.speed
        assert lost.detail
        # What a silence swallowed stands in the ledger; beside that only what was told while there was no connection.
        named = after.touched() if state == "silent" and after.entries[0]["kind"] == "silent" else set()
        begin_ms = lost.event_time_ms if named else after.begin_ms
        away = range(begin_ms - EDGE, max(back.event_time_ms, 0 if named else after.end_ms) + EDGE)
        assert {key for key in after.missing - named if after.told[key] not in away} == set()
        assert named <= after.missing
        assert after.reconnects >= 1

    return check


def changed_over(after: Aftermath) -> None:
    back = after.said("live", after.said("down", after.begin_ms).event_time_ms)
    away = range(after.begin_ms - EDGE, back.event_time_ms + EDGE)
    assert {key for key in after.missing if after.told[key] not in away} == set()
    assert after.reconnects == 1


# --- the cases --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A fault, and what must be true when it is over."""

    name: str
    fault: dict[str, Any]
    must: str
    then: Then
    for_ms: int | None = 80_000
    speed: float = SPEED


BOTH = ["forceOrder", "markPrice"]
CASES = (
    Case("drop", {"kind": "drop", "probability": 0.5}, "lose those of the ledger and no other", exactly_these_lost),
    Case(
        "orders silent",
        {"kind": "silent"},
        "lose those of the ledger, and stay connected: mark prices come",
        exactly_these_lost,
    ),
    Case(
        "all silent",
        {"kind": "silent", "streams": BOTH},
        "say silent, ask for a new connection, and be live again",
        lost_while("silent"),
        160_000,
        # At a higher one the venue's pings come more often than our patience is long.
        20.0,
    ),
    Case("duplicate", {"kind": "duplicate", "copies": 3}, "publish one of four", copies_removed),
    Case("reorder", {"kind": "reorder", "behind": 1, "probability": 0.5}, "publish each once", nothing_lost),
    Case("delay", {"kind": "delay", "by_ms": 20_000}, "publish what comes late", nothing_lost),
    Case("late burst", {"kind": "late_burst"}, "publish what comes late", nothing_lost),
    Case("event time too old", {"kind": "wrong_time", "by_ms": -HOUR_MS}, "go by the order's time", nothing_lost),
    Case(
        "event time in the future",
        {"kind": "wrong_time", "by_ms": HOUR_MS},
        "go by the order's time, and report no absurd time",
        not_believed,
    ),
    Case("clock ahead", {"kind": "clock_skew", "by_ms": 5000}, "publish each once", nothing_lost),
    Case("clock behind", {"kind": "clock_skew", "by_ms": -5000}, "publish each once", nothing_lost),
    Case("malformed", {"kind": "malformed", "probability": 0.5}, "lose the spoilt ones, counted", each_costs_itself),
    Case("truncated", {"kind": "truncated", "probability": 0.5}, "lose the spoilt ones, counted", each_costs_itself),
    Case("unknown fields", {"kind": "unknown_fields"}, "read them like any other", nothing_lost),
    Case(
        "missing fields", {"kind": "missing_fields", "fields": ["st", "ps"]}, "read them like any other", nothing_lost
    ),
    Case("halt", {"kind": "halt", "symbols": ["ETHUSDT"]}, "publish what is told", market_goes_on),
    Case("status", {"kind": "status", "status": "BREAK"}, "publish what is told", market_goes_on),
    Case("delisting", {"kind": "delisting", "symbols": ["SOLUSDT"]}, "publish the others", market_goes_on, None),
    Case("rotation", {"kind": "rotation"}, "connect again", changed_over, None),
    Case("disconnect", {"kind": "disconnect"}, "say down, and be live again", lost_while("down")),
    Case("half open", {"kind": "half_open"}, "say silent, and be live again", lost_while("silent"), None),
)
STREAM_KINDS = {"drop", "silent", "duplicate", "reorder", "delay", "late_burst", "wrong_time", "malformed", "truncated",
                "unknown_fields", "missing_fields"}  # fmt: skip


# --- one case ---------------------------------------------------------------------------------------------------------


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class Rig:
    """The simulator and the service's feed with its own session, from connecting on."""

    run: Running
    kept: Kept
    selection: LiquidationSelection
    all_market: bool

    def now_ms(self) -> int:
        return self.run.simulation.clock.now_ms()

    def told(self, first: int, last: int) -> dict[Key, int]:
        """What the venue told of our symbols with event times in [first, last)."""
        names = frozenset(f"{symbol.lower()}@forceOrder" for symbol in OURS)
        found: dict[Key, int] = {}
        for event in self.run.simulation.market.side_events(first, last - 1, names):
            order = json.loads(event.payload)["o"]
            key = (order["s"], order["S"], order["T"], Decimal(order["z"]), Decimal(order["ap"]))
            found[key] = event.event_ms
        return found

    async def passed(self, venue_ms: int) -> None:
        async def there() -> bool:
            return self.now_ms() >= venue_ms

        await eventually(there, 40, lambda: f"{venue_ms} has not come")

    async def read_up_to(self, venue_ms: int) -> None:
        """Until an order from then on is published: a stream is in order, so what was told before has come, however late."""

        async def there() -> bool:
            return any(order.trade_time_ms >= venue_ms for order in self.kept.orders)

        await eventually(there, 40, lambda: f"no order since {venue_ms}")

    async def live(self) -> None:
        async def is_live() -> bool:
            return self.kept.live

        await eventually(is_live, 40, lambda: f"{self.kept.status[-3:]}")


@asynccontextmanager
async def rig(folder: Path, speed: float, all_market: bool) -> AsyncIterator[Rig]:
    symbols = (*OURS, *FOREIGN)
    async with (
        running(folder, speed=speed, symbols=symbols) as run,
        open_venue(venue_settings(run.url, speed)) as venue,
    ):
        context = ServiceContext("liquidation_ingest", ProcessSettings())
        kept, selection = Kept(), LiquidationSelection(OURS)
        feed = LiquidationFeed(Channel(context, venue, kept, selection, 1))
        settings = load_settings(LiquidationSettings).model_copy(update={"all_market": all_market})
        session = feed.session(OURS, settings)
        async with beside(session.run(), feed.reports.run(), keep_clock(venue)):
            yield Rig(run, kept, selection, all_market)


async def live_through(here: Rig, case: Case) -> Aftermath:
    """From before the fault until what it cost is there again."""
    await here.live()
    first = here.now_ms()
    await here.passed(first + BEHIND_MS)
    names = {
        "dropped": ("perpstream_records_dropped_total", {"topic": FEED, "reason": "malformed"}),
        "reconnects": ("perpstream_reconnects_total", {"feed": FEED}),
    }
    before = {name: figure(what, **labels) for name, (what, labels) in names.items()}
    fields = dict(case.fault) | ({"for_ms": case.for_ms} if case.for_ms else {})
    if fields["kind"] in STREAM_KINDS:
        fields = {"streams": ["forceOrder"]} | fields
    number = await here.run.fault(fields.pop("kind"), **fields)
    [fault] = [one for one in await here.run.get("/sim/faults") if one["number"] == number]
    await here.passed((fault["end_ms"] or fault["begin_ms"]) + SETTLE_MS)
    if case.then is not market_goes_on:
        await _recovered(here, case, fault["begin_ms"])
    begun = here.now_ms()
    await here.read_up_to(begun)
    last = begun - BEHIND_MS
    published: list[Key] = [
        (one.symbol, one.side, one.trade_time_ms, one.quantity, one.average_price) for one in here.kept.orders
    ]
    everything = here.told(first - HOUR_MS, here.now_ms() + BEHIND_MS)
    assert set(published) <= set(everything), "published what nobody told of our symbols"
    assert len(set(published)) == len(published), "published twice"
    return Aftermath(
        told={key: event_ms for key, event_ms in everything.items() if first + EDGE <= event_ms < last},
        published=published,
        entries=await here.run.ledger(number),
        status=list(here.kept.status),
        duplicates=here.selection.duplicates,
        begin_ms=fault["begin_ms"],
        end_ms=fault["end_ms"] or fault["begin_ms"],
        speed=case.speed,
        **{name: figure(what, **labels) - before[name] for name, (what, labels) in names.items()},
    )


async def _recovered(here: Rig, case: Case, begin_ms: int) -> None:
    """A fault of the connection has been noticed, and is over."""
    if case.fault["kind"] not in ("disconnect", "half_open", "rotation") and case.name != "all silent":
        return

    async def noticed() -> bool:
        return here.kept.live and any(
            not event.is_live and event.event_time_ms >= begin_ms for event in here.kept.status
        )

    await eventually(noticed, 40, lambda: f"{here.kept.status[-3:]}")


# Of these nobody counts a dropped message or a new connection, so that they can run at once: the counters are the process's.
QUIET = [
    case
    for case in CASES
    if case.then in (nothing_lost, exactly_these_lost, copies_removed, not_believed, market_goes_on)
]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Aftermath | BaseException]:
    """How the cases ended in which no connection is lost, each with its own venue: they wait most of the time."""

    async def one(folder: Path, case: Case) -> Aftermath:
        async with rig(folder, case.speed, all_market=False) as here:
            return await live_through(here, case)

    async def all_of_them(folder: Path) -> list[Aftermath | BaseException]:
        return await asyncio.gather(*(one(folder / case.name, case) for case in QUIET), return_exceptions=True)

    found = run_patiently(all_of_them(tmp_path_factory.mktemp("quiet")))
    return {case.name: outcome for case, outcome in zip(QUIET, found, strict=True)}


@pytest.mark.parametrize("case", QUIET, ids=[f"{case.name}: {case.must}" for case in QUIET])
def test_a_fault_of_messages_costs_no_order_but_what_it_took(
    quiet: dict[str, Aftermath | BaseException], case: Case
) -> None:
    after = quiet[case.name]
    if isinstance(after, BaseException):
        raise after
    case.then(after)


LOUD = [case for case in CASES if case not in QUIET]


@pytest.mark.parametrize("case", LOUD, ids=[f"{case.name}: {case.must}" for case in LOUD])
async def test_a_fault_costs_no_order_but_what_it_took(tmp_path: Path, case: Case) -> None:
    async with rig(tmp_path, case.speed, all_market=False) as here:
        after = await live_through(here, case)
    case.then(after)


@pytest.mark.parametrize("name", ["duplicate", "drop", "malformed", "reorder"])
async def test_of_the_stream_of_all_symbols_only_ours_are_published(tmp_path: Path, name: str) -> None:
    """COIN-M and foreign orders stand in the same stream; `live_through` checks that none of them is published."""
    case = next(case for case in CASES if case.name == name)
    async with rig(tmp_path, case.speed, all_market=True) as here:
        after = await live_through(here, case)
    assert {one["stream"] for one in after.entries} == {"!forceOrder@arr"}
    assert after.missing == (after.touched() if name in ("drop", "malformed") else set())
