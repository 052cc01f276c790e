"""Thirty days behind the live values, from the simulated venue: all of them, once, known from when we say, and nobody waits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from libs.contracts.codec import decode
from libs.contracts.market import IndicatorHistoryCompleted, IndicatorKind, MarketIndicatorObserved
from libs.contracts.topics import INDICATOR, INDICATOR_HISTORY
from libs.exchanges import RATIO_KINDS, HistorySpan, IndicatorValue, MarketData
from libs.exchanges.errors import VenueUnavailable
from libs.exchanges.venue import open_venue
from libs.kit.clock import VenueClock
from libs.kit.durations import DAY_MS
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.backfill import SERIES, Backfill, HistorySource
from services.indicator_ingest.facts import Novelty, Series
from services.indicator_ingest.history import MARGIN_MS, History
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.schedules import PERIOD, SCHEDULES
from tests.services.exchange_simulator.running import running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import eventually

SYMBOL = "BTCUSDT"
STEP = 300_000


class Hurried(VenueClock):
    """Nobody waits; the venue's time goes on as it does."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)


class Watched(OrderedPublisher):
    """Remembers how many records waited at most."""

    longest = 0

    def put(self, item: Outgoing) -> None:
        super().put(item)
        self.longest = max(self.longest, len(self._queue))


@dataclass
class Busy:
    """A venue that has no time for the history of the taker ratio."""

    source: HistorySource
    refused: int = 0

    async def indicator_history(
        self, symbol: str, kind: IndicatorKind, period: str | None, span: HistorySpan
    ) -> list[IndicatorValue]:
        if kind == "taker_long_short_ratio":
            self.refused += 1
            raise VenueUnavailable("busy")
        return await self.source.indicator_history(symbol, kind, period, span)


def values(bus: MemoryBus) -> list[MarketIndicatorObserved]:
    found = [decode(record.value, record.headers) for record in bus.records(INDICATOR.name)]
    return [event for event in found if isinstance(event, MarketIndicatorObserved)]


def marks(bus: MemoryBus) -> list[IndicatorHistoryCompleted]:
    found = [decode(record.value, record.headers) for record in bus.records(INDICATOR_HISTORY.name)]
    return [event for event in found if isinstance(event, IndicatorHistoryCompleted)]


@dataclass
class Desk:
    """A back-fill on an in-memory log, and what stands there."""

    bus: MemoryBus
    outlet: Outlet
    publisher: Watched
    market: MarketData
    backfill: Backfill

    def values(self) -> list[MarketIndicatorObserved]:
        return values(self.bus)

    def marks(self) -> list[IndicatorHistoryCompleted]:
        return marks(self.bus)

    async def live_round(self) -> None:
        """One answer of each feed that has a history."""
        for kind in RATIO_KINDS:
            self.outlet.publish(await self.market.ratio_history(SYMBOL, kind, PERIOD, 30), SCHEDULES[kind])
        history = await self.market.open_interest_history(SYMBOL, PERIOD, 30)
        self.outlet.publish(history, SCHEDULES["open_interest_history"])
        self.outlet.publish(await self.market.funding_rates(SYMBOL, 30), SCHEDULES["funding_rate"])

    def whole(self) -> bool:
        """Whether the last mark of every series speaks of no hole."""
        last = {(mark.kind, mark.period): mark.live_to_ms for mark in self.marks()}
        return set(last) == set(SERIES) and set(last.values()) == {-1}

    async def until(self, enough: Callable[[], bool]) -> None:
        """Run until then, and be killed."""

        async def told() -> bool:
            return enough()

        work = [asyncio.create_task(self.outlet.publisher.run()), asyncio.create_task(self.backfill.run())]
        await eventually(told, 300, lambda: f"{len(self.values())} values, marks {self.marks()[-6:]}")
        for task in work:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def desk(tmp_path: Path, busy: type[Busy] | None = None) -> AsyncIterator[Callable[[], Desk]]:
    """Each call is a start of the service on the same log."""
    bus = MemoryBus()
    async with running(tmp_path) as run, open_venue(venue_settings(run.url)) as venue:
        clock, market = Hurried(venue.clock.now_ms()), venue.market_data

        def start() -> Desk:
            publisher = Watched(MemoryProducer(bus), lambda _: None)
            history, novelty, begin = History(marks(bus)), Novelty(), asyncio.Event()
            for event in values(bus):
                novelty.remember(event)
            for series, instant in history.live_ends().items():
                novelty.remember_instant(series, instant)
            outlet = Outlet(publisher, {SYMBOL: 0}, novelty, "simulator", clock, history)
            begin.set()
            return Desk(bus, outlet, publisher, market, Backfill(busy(market) if busy else market, outlet, begin))

        yield start


def instants(values: list[MarketIndicatorObserved], series: Series) -> list[int]:
    return [item.event_time_ms for item in values if (item.symbol, item.kind, item.period) == series]


async def test_every_value_of_thirty_days_comes_once_also_across_a_kill(tmp_path: Path) -> None:
    async with desk(tmp_path) as start:
        first = start()
        await first.live_round()
        await first.until(lambda: len(first.marks()) >= 30)
        assert not first.whole()
        # Killed behind a page's values and before its mark: they are asked for again, and recognised.
        killed_at = first.marks()[-1]
        first.bus.logs[INDICATOR_HISTORY.name, 0].pop()
        second = start()
        assert killed_at not in second.marks()
        await second.live_round()
        await second.until(second.whole)
        found, now = second.values(), second.outlet.clock.now_ms()
    check(found, now)


def check(values: list[MarketIndicatorObserved], now: int) -> None:
    assert max(Counter(item.event_id for item in values).values()) == 1
    for kind, period in SERIES:
        found = sorted(instants(values, (SYMBOL, kind, period)))
        if period is None:
            assert len(found) >= 30 * 3 - 1
            continue
        assert found == list(range(found[0], found[-1] + 1, STEP)), kind
        assert found[0] <= now - 30 * DAY_MS + MARGIN_MS + STEP
        assert found[-1] == now // STEP * STEP
    for item in values:
        delay = SCHEDULES[SERIES[item.kind, item.period]].assumed_delay_seconds
        assert delay is not None
        assert item.available_ms is not None
        if now - item.event_time_ms > 3_800_000:
            assert item.availability_assumed
        if item.availability_assumed:
            assert item.available_ms == item.event_time_ms + int(delay * 1000)
        assert item.available_ms >= item.event_time_ms
        assert item.raw is not None
    taker = next(item for item in values if item.kind == "taker_long_short_ratio")
    assert taker.raw is not None
    assert taker.raw["timestamp"] == taker.event_time_ms - STEP, "stamped at its start, describes its end"


async def test_what_is_live_waits_behind_fifty_values_at_most_and_a_refusal_stops_only_its_series(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, Busy) as start:
        made = start()
        await made.live_round()
        await made.publisher.drain()
        made.publisher.longest = 0

        def others_are_whole() -> bool:
            last = {(mark.kind, mark.period): mark.live_to_ms for mark in made.marks()}
            return {series for series, live_to in last.items() if live_to != -1} == {("taker_long_short_ratio", PERIOD)}

        await made.until(others_are_whole)
        assert isinstance(made.backfill.source, Busy)
        assert made.backfill.source.refused == 1, "it waits a minute of venue time before it asks again"
        assert 0 < made.publisher.longest <= 51
