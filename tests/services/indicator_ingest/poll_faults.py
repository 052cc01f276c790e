"""The polls of indicator_ingest against a simulated venue that refuses, spoils or delays its answers for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from libs.contracts.market import FeedStatusChanged, MarketIndicatorObserved
from libs.exchanges.venue import first_instruments, keep_clock, open_venue
from libs.kit.clock import VenueClock
from libs.kit.settings import load_settings
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import Novelty
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.polling import Poller
from services.indicator_ingest.polls import polls
from services.indicator_ingest.settings import IndicatorSettings
from tests.services.exchange_simulator.running import Running, running
from tests.services.ingest_stack import venue_settings
from tests.services.processes import eventually

SYMBOLS = ("BTCUSDT", "ETHUSDT")
PERIODS = 12
# Where the venue answers for the rows of each feed, and how far behind the row's stamp the instant is (ms).
ROWS: dict[str, tuple[str, int]] = {
    "open_interest_history": ("/futures/data/openInterestHist", 0),
    "global_long_short_account_ratio": ("/futures/data/globalLongShortAccountRatio", 0),
    "top_long_short_account_ratio": ("/futures/data/topLongShortAccountRatio", 0),
    "top_long_short_position_ratio": ("/futures/data/topLongShortPositionRatio", 0),
    "taker_long_short_ratio": ("/futures/data/takerlongshortRatio", 300_000),
    "funding_rate": ("/fapi/v1/fundingRate", 0),
}
PATHS = {feed: path for feed, (path, _) in ROWS.items()} | {"open_interest": "/fapi/v1/openInterest"}
Key = tuple[str, str]
# What questions and answers take at best, and how often lateness is looked at, in real seconds.
QUICK_SECONDS, TICK_SECONDS = 1.0, 0.02


@dataclass
class Lateness:
    """How long this machine let a due callback wait at worst, in real seconds."""

    worst: float = 0.0

    async def watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.worst = max(self.worst, clock() - due)


def feed_of(event: MarketIndicatorObserved) -> str:
    return "open_interest_history" if event.kind == "open_interest" and event.period else str(event.kind)


@dataclass
class Kept(OrderedPublisher):
    """Keeps what is put, values with the venue's time at which that was."""

    venue: Running
    values: list[tuple[int, MarketIndicatorObserved]] = field(default_factory=list)
    status: list[FeedStatusChanged] = field(default_factory=list)

    def put(self, item: Outgoing) -> None:
        if isinstance(item.event, MarketIndicatorObserved):
            self.values.append((self.venue.simulation.clock.now_ms(), item.event))
        elif isinstance(item.event, FeedStatusChanged):
            self.status.append(item.event)

    def newest(self) -> dict[Key, int]:
        return {(feed_of(event), event.symbol): event.event_time_ms for _, event in self.values}


@dataclass(frozen=True)
class Group:
    """Feeds that are looked at together: how fast the venue runs, how much it trades, and how long its faults last."""

    feeds: tuple[str, ...]
    speed: float
    rate: float
    for_ms: int
    knobs: dict[str, Any] = field(default_factory=lambda: {"history_periods": PERIODS})

    @property
    def keys(self) -> set[Key]:
        return {(feed, symbol) for feed in self.feeds for symbol in SYMBOLS}


@dataclass(frozen=True)
class Outcome:
    """A fault when it is over and every feed has gone on. `rows`: what the venue answers now, by feed, symbol and instant;
    `market`: what it knows of prices, while nothing runs any more; `late_ms`: how late, in the venue's time, what is prompt may
    be on this machine: once for comparing clocks, once for the look itself."""

    group: Group
    begin_ms: int
    end_ms: int
    values: list[tuple[int, MarketIndicatorObserved]]
    status: list[FeedStatusChanged]
    ledger: list[dict[str, Any]]
    rows: dict[tuple[str, str, int], dict[str, Any]]
    spot: dict[tuple[str, int], dict[str, Any]]
    market: Any
    late_ms: float

    def of(self, key: Key) -> list[tuple[int, MarketIndicatorObserved]]:
        return [(put, event) for put, event in self.values if (feed_of(event), event.symbol) == key]

    def states(self, key: Key) -> list[FeedStatusChanged]:
        """Reports from the fault on."""
        mine = [event for event in self.status if (event.feed, event.symbol) == key]
        return [event for event in mine if event.event_time_ms >= self.begin_ms]

    def refused(self, key: Key) -> bool:
        """Whether the fault met a question of this feed and symbol."""
        return any((one["path"], one["symbol"]) == (PATHS[key[0]], key[1]) for one in self.ledger)


@asynccontextmanager
async def polling(folder: Path, group: Group) -> AsyncIterator[tuple[Running, Kept, VenueClock, Lateness]]:
    knobs = load_settings(IndicatorSettings).model_copy(update=group.knobs)
    async with running(
        folder / "venue", speed=group.speed, rate=group.rate, symbols=SYMBOLS, weight_limit=1_000_000
    ) as run:
        settings = venue_settings(run.url, group.speed).model_copy(update={"requests_dir": folder / "requests"})
        async with open_venue(settings) as venue:
            kept = Kept(run)
            outlet = Outlet(kept, dict.fromkeys(SYMBOLS, 0), Novelty(), "binance", venue.clock)
            found = polls(venue, await first_instruments(venue, SYMBOLS), knobs)
            work = [Poller(poll, outlet, lambda: None).run() for poll in found if poll.feed in group.feeds]
            lateness = Lateness()
            tasks = [asyncio.create_task(one) for one in (*work, keep_clock(venue), lateness.watch())]
            try:
                yield run, kept, venue.clock, lateness
                assert not [task for task in tasks if task.done()], "a part of the service has ended"
            finally:
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


async def live_through(folder: Path, group: Group, fault: dict[str, Any]) -> Outcome:
    """From before the fault until each feed has a value of an instant behind it, and is live."""
    async with polling(folder, group) as (run, kept, _, lateness):
        await eventually(lambda: _all_since(kept, group, 0), 40, lambda: f"at first: {kept.newest()}")
        number = await run.fault(fault["kind"], for_ms=group.for_ms, **{k: v for k, v in fault.items() if k != "kind"})
        [found] = [one for one in await run.get("/sim/faults") if one["number"] == number]
        await eventually(
            lambda: _all_since(kept, group, found["end_ms"]), 60, lambda: f"{found}: {kept.newest()} {kept.status[-9:]}"
        )
        values, rows = list(kept.values), {}
        for feed, (path, behind) in ROWS.items():
            for symbol in SYMBOLS if feed in group.feeds else ():
                asked = {"limit": 100} if feed == "funding_rate" else {"limit": 200, "period": "5m"}
                for row in await run.get(path, symbol=symbol, **asked):
                    stamp = row.get("timestamp", row.get("fundingTime")) + behind
                    rows[feed, symbol, (stamp + 500) // 1000 * 1000] = row
        return Outcome(
            group,
            found["begin_ms"],
            found["end_ms"],
            values,
            list(kept.status),
            await run.ledger(number),
            rows,
            await _spot_trades(run, values) if "coinbase_premium" in group.feeds else {},
            run.simulation.market,
            (QUICK_SECONDS + 2 * lateness.worst) * 1000 * group.speed,
        )


async def _all_since(kept: Kept, group: Group, since_ms: int) -> bool:
    newest = kept.newest()
    states = {(event.feed, event.symbol): event.state for event in kept.status}
    return all(newest.get(key, -1) > since_ms and states.get(key) == "live" for key in group.keys)


async def _spot_trades(
    run: Running, values: list[tuple[int, MarketIndicatorObserved]]
) -> dict[tuple[str, int], dict[str, Any]]:
    """The trades of the perpetual whose ids a premium names: spot shares them, at its own price."""
    found = {}
    for _, event in values:
        if event.raw is not None and isinstance(number := event.raw.get("venue.a"), int):
            [trade] = await run.get("/fapi/v1/aggTrades", symbol=event.symbol, fromId=number, limit=1)
            found[event.symbol, number] = trade
    return found
