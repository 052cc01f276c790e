"""What a wrong clock, a venue that refuses, and a broker that has lost records must not do to an executor."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from libs.exchanges.errors import VenueError, VenueUnavailable
from libs.exchanges.session_group import SessionGroup
from libs.kit.errors import TryAgain, UserError
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings, load_settings
from libs.trading.execution.document import CloseWish
from libs.trading.execution.facts import CloseWished, FundingPaid
from services.executor import wiring
from services.executor.afterwards import Afterwards
from services.executor.checking import Checking
from services.executor.intake import Intake
from services.executor.options import Options
from services.executor.outlet import KafkaOutlet
from services.executor.pages import Pages
from services.executor.permission import Permission
from services.executor.ports import Ports
from services.executor.reconciling import MOST_LOOKS
from services.executor.telling import Teller
from services.executor.terms import Terms
from services.executor.venue_market import VenueMarket
from tests.fakes.memory_books import MemoryBooks, MemoryDatabase
from tests.libs.store.live_trades import TRADE
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import ACCOUNT, CONFIG, SYMBOLS, Floor, Heard, floor, risk, until


@dataclass
class CountingVenue:
    """Passes everything on, and counts cancellations and lists of fills."""

    venue: Any
    cancels: Counter[str] = field(default_factory=Counter)
    lists: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    async def cancel(self, symbol: str, client_id: str) -> Any:
        self.cancels[client_id] += 1
        return await self.venue.cancel(symbol, client_id)

    async def cancel_conditional(self, client_id: str) -> None:
        self.cancels[client_id] += 1
        await self.venue.cancel_conditional(client_id)

    async def executions(self, symbol: str, **given: Any) -> Any:
        self.lists += 1
        return await self.venue.executions(symbol, **given)


@dataclass
class BusyAccount:
    """Somebody places an order before each look at them, in another symbol than before, where it has gone by then."""

    venue: Any
    at: Floor
    looks: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    async def open_orders(self, symbol: str | None = None) -> Any:
        self.looks += 1
        before, now = SYMBOLS if self.looks % 2 else reversed(SYMBOLS)
        price = self.at.tick(now, self.at.price(now) * Decimal("0.97"))
        await self.at.venue.fault("outside_cancel", symbol=before)
        await self.at.venue.fault("outside_order", symbol=now, side="BUY", quantity="0.1", price=str(price))
        return await self.venue.open_orders(symbol)


@dataclass
class RefusingVenue:
    """Refuses everything, and counts what it was asked."""

    asked: Counter[str] = field(default_factory=Counter)

    def __getattr__(self, name: str) -> Any:
        async def refuse(*_: Any) -> None:
            self.asked[name] += 1
            raise VenueUnavailable("silent")

        return refuse


@dataclass
class QuickTime:
    """A clock on which sleeping costs nothing."""

    seconds: float = 0.0
    speed: float = 1.0
    is_known: bool = True

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    def wall_ms(self) -> int:
        return self.now_ms()

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@dataclass
class LosingIntake:
    """A broker whose log ends before what was read."""

    looks: int = 0

    async def run(self, routes: Sequence[Any]) -> None:
        self.looks += 1
        raise UserError("it has lost records", where="broker", todo="restore them")


async def test_a_word_of_a_time_to_come_allows_nothing_and_hides_no_break(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        one.guard = None
        now_ms = at.account.clock.now_ms()
        one.executor.on_risk_state(msgspec.structs.replace(risk(), event_time_ms=now_ms + 3_600_000))
        assert any("ahead" in why for why in one.executor.permission.reasons())
        broken = risk("circuit_break", entries=False)
        one.executor.on_risk_state(msgspec.structs.replace(broken, event_time_ms=now_ms + 100))
        assert one.executor.permission.permits(SYMBOL).only_stops
        one.executor.on_risk_state(msgspec.structs.replace(risk(), event_time_ms=now_ms))
        assert one.executor.permission.permits(SYMBOL).only_stops, "an older word"


async def test_a_symbol_that_was_taken_away_is_not_entered_any_more(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        assert one.executor.permission.permits(SYMBOL).entries
        one.executor.permission.config = CONFIG.model_copy(update={"blacklist": (SYMBOL,)})
        permits = one.executor.permission.permits(SYMBOL)
        assert (permits.entries, permits.why_not) == (False, "not_enabled")


async def test_cancellations_that_are_refused_are_tried_ever_more_seldom(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        counting = CountingVenue(at.account.trading)
        one.fuse_venue(counting)
        await at.venue.fault("unavailable", text="unavailable", executed="no", methods=["DELETE"], most=10_000)
        wish = CloseWish(reason="command", since_ms=at.account.clock.now_ms())
        one.executor.desk_of(SYMBOL).hear("signal-1", [CloseWished(wish)])
        await until(lambda: bool(counting.cancels), lambda: "nothing is cancelled")
        end = time.monotonic() + 3.0
        await until(lambda: time.monotonic() > end, lambda: "")
        assert max(counting.cancels.values()) <= 6


async def test_a_break_that_comes_while_a_page_is_written_stops_the_close_in_it(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        begun, go_on = asyncio.Event(), asyncio.Event()

        desk = one.executor.desk_of(SYMBOL)

        async def gate(moment: str) -> None:
            closes = [order for trade in desk.trades.values() for order in trade.orders if order.leg == "close"]
            if moment == "before write" and closes:
                begun.set()
                await go_on.wait()

        at.database.gate = gate
        wish = CloseWish(reason="command", since_ms=at.account.clock.now_ms())
        desk.hear("signal-1", [CloseWished(wish)])
        await begun.wait()
        one.guard = risk("circuit_break", entries=False)
        await until(lambda: one.executor.permission.permits(SYMBOL).only_stops, lambda: "no break")
        go_on.set()
        held = await one.trade(
            "signal-1", lambda found: [o.status for o in found.orders if o.leg == "close"] == ["intended"]
        )
        assert held.state == "closing"
        assert {fill.side for fill in await at.account.trading.executions(SYMBOL)} == {"BUY"}


async def test_a_sync_ends_though_there_is_always_something_new(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor(reconcile_seconds=600.0)
        await one.ready()
        busy = BusyAccount(at.account.trading, at)
        one.fuse_venue(busy)
        answer = await asyncio.wait_for(one.executor.reconciling.synchronise(), 60.0)
        assert answer.accepted
        assert busy.looks >= MOST_LOOKS


async def test_a_burst_of_foreign_fills_reads_the_list_ever_more_seldom(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        counting, desk = CountingVenue(at.account.trading), one.executor.desk_of(SYMBOL)
        one.fuse_venue(counting)
        end = time.monotonic() + 3.0

        def is_over() -> bool:
            desk.read_fills()
            return time.monotonic() > end

        await until(is_over, lambda: "")
        assert 1 <= counting.lists <= 4


async def test_what_the_venue_does_not_let_be_set_is_tried_once_a_minute() -> None:
    clock, venue = QuickTime(), RefusingVenue()
    options = Options(ACCOUNT, "demo", "installation", "owner")
    pages = Pages(MemoryBooks(MemoryDatabase(clock.monotonic), ACCOUNT, clock.monotonic), Heard(), clock, options)
    market = SimpleNamespace(symbols=[SYMBOL], statuses=dict, filters=lambda _: None)
    ports = Ports(pages.books, cast(Any, venue), pages.outlet, clock, cast(Any, market))
    task = asyncio.create_task(Checking(ports, Permission(pages, CONFIG), Terms(cast(Any, venue)), lambda: None).run())
    began = clock.seconds
    await until(lambda: clock.seconds > began + 600, lambda: "it does not run")
    task.cancel()
    minutes = (clock.seconds - began) / 60
    assert minutes - 1 <= venue.asked["symbol_terms"] <= minutes + 1


async def test_a_symbol_that_comes_while_the_venue_is_silent_is_tried_again_and_ends_nothing() -> None:
    account = SimpleNamespace(market_data=RefusingVenue())
    with pytest.raises(TryAgain):
        await VenueMarket(cast(Any, account), SessionGroup()).add([SYMBOL])


async def test_funding_is_in_the_books_before_its_line_counts_as_read(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        paid = FundingPaid(77, Decimal("0.5"), at.account.clock.now_ms())
        await one.executor.afterwards.learn("signal-1", paid)
        assert at.database.documents()["signal-1"].funding_ids == (77,)


async def test_an_asset_that_nobody_values_does_not_use_the_budget_up() -> None:
    asked: list[float] = []
    clock = QuickTime()

    async def worth(_asset: str, _at_ms: int) -> Decimal | None:
        asked.append(clock.seconds)
        raise VenueError("no such symbol")

    database = MemoryDatabase(clock.monotonic)
    options = Options(ACCOUNT, "demo", "installation", "owner")
    pages = Pages(MemoryBooks(database, ACCOUNT, clock.monotonic), Heard(), clock, options)
    afterwards = Afterwards(pages, Teller(ACCOUNT), cast(Any, None), dict, worth)
    for number in range(50):
        fill = msgspec.structs.replace(TRADE.fills[0], fee_asset="BNFCR", fee_quote=None, trade_id=number)
        afterwards.keep(msgspec.structs.replace(TRADE, trade_id=str(number), state="closed", fills=(fill,)))
    task = asyncio.create_task(afterwards.run())
    await until(lambda: clock.seconds > 600, lambda: "it does not run")
    task.cancel()
    assert 2 <= len([at for at in asked if at <= 600]) <= 5


async def test_a_broker_that_has_lost_records_ends_nothing() -> None:
    context = ServiceContext("executor", load_settings(ProcessSettings))
    wired = wiring.Wiring(context, cast(Any, None), cast(Any, None), KafkaOutlet(), retry_seconds=0.01)
    intake = LosingIntake()
    task = asyncio.create_task(wiring._hear(cast(Intake, intake), [], wired))
    await until(lambda: intake.looks > 2 or task.done(), lambda: "it does not look again")
    assert not task.done()
    task.cancel()
