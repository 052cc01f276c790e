"""Looks at a simulated account: what it holds, whose its fills are, and how long twenty symbols take."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

from libs.exchanges.account import Account, open_account
from libs.exchanges.filters import symbol_filters
from libs.exchanges.pictures import AccountView, order_seen
from libs.exchanges.trading import NewConditional, NewOrder
from libs.kit.settings import AccountSettings, VenueSettings
from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    SIGNAL_LETTERS,
    Leg,
    OrderTag,
    letters_of,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.exposure import held_of
from libs.trading.execution.facts import Answered
from libs.trading.execution.findings import FindingName
from libs.trading.execution.folds import fold
from libs.trading.execution.reconciliation import FindingKey, OurSide, Reconciled
from libs.trading.filters import SymbolFilters
from services.exchange_simulator.symbols import generated_symbols
from tests.services.exchange_simulator.running import Running, running

TWENTY, LONGEST_SECONDS = 20, 10.0
MAIN, HERE = letters_of("main", ACCOUNT_LETTERS), letters_of("here", INSTALLATION_LETTERS)
NOTIONAL = Decimal(200)


@dataclass
class Books:
    """An account of a running venue, and our documents of it."""

    venue: Running
    account: Account
    view: AccountView
    filters: dict[str, SymbolFilters]
    prices: dict[str, Decimal]
    trades: dict[str, Trade]
    suspected: dict[FindingKey, int]

    async def enter(self, symbol: str) -> Trade:
        """A position with its stop, of which the books know the intents alone."""
        limits, price = self.filters[symbol], self.prices[symbol]
        quantity = (NOTIONAL / price / limits.quantity_step).to_integral_value(ROUND_UP) * limits.quantity_step
        trigger = limits.price_on_tick(price * Decimal("0.9"))
        entry = self.order(symbol, "entry", "BUY", quantity=quantity)
        stop = self.order(symbol, "stop", "SELL", trigger=trigger)
        await self.account.trading.place(NewOrder(symbol, "BUY", quantity, entry.client_id))
        await self.account.trading.place_conditional(
            NewConditional(symbol, "SELL", "STOP_MARKET", stop.client_id, trigger)
        )
        self.trades[symbol] = Trade(
            trade_id=symbol,
            account="main",
            symbol=symbol,
            direction="long",
            origin="signal",
            state="entering",
            signal_letters=letters_of(symbol, SIGNAL_LETTERS),
            account_letters=MAIN,
            installation_letters=HERE,
            quantity=quantity,
            orders=(entry, stop),
        )
        return self.trades[symbol]

    def order(self, symbol: str, leg: Leg, side: Any, **more: Any) -> OurOrder:
        tag = OrderTag("executor", MAIN, HERE, letters_of(symbol, SIGNAL_LETTERS), leg, 0)
        given = {"quantity": None, "intended_ms": self.account.clock.now_ms(), "status": "unknown"} | more
        return OurOrder(client_id=tag.client_id(), leg=leg, generation=0, side=side, **given)

    def ours(self) -> OurSide:
        return OurSide(MAIN, HERE, tuple(self.trades.values()), frozenset(), LiveConfig(leverage=20))

    async def compare(self, *, thorough: bool = False) -> Reconciled:
        """Once, and what it says is folded."""
        found = await self.view.compare(self.ours, self.suspected, thorough=thorough)
        self.suspected = dict(found.suspected)
        for trade_id, fact in found.facts:
            self.trades[trade_id] = fold(self.trades[trade_id], fact)
        return found

    async def ask_entries(self) -> None:
        """What the executor does with an order whose outcome it does not know."""
        for name, trade in self.trades.items():
            for order in trade.orders:
                if order.status == "unknown" and order.leg == "entry":
                    state = await self.account.trading.order(name, order.client_id)
                    assert state is not None
                    seen = order_seen(state)
                    self.trades[name] = fold(trade, Answered(order.client_id, seen, self.account.clock.now_ms()))

    async def until_found(self, name: FindingName) -> Reconciled:
        """The first comparison that finds it; reads cost weight, so that they are not too near."""
        async with asyncio.timeout(20):
            while True:
                found = await self.compare()
                if name in {one.name for one in found.findings}:
                    return found
                await self.account.clock.sleep(1.0)

    async def later(self) -> Reconciled:
        """A second look, when it makes sense."""
        found = await self.compare()
        while found.look_again_ms is not None:
            await self.account.clock.sleep(max(0, found.look_again_ms - self.account.clock.now_ms() + 1) / 1000)
            found = await self.compare()
        return found


@asynccontextmanager
async def books(folder: Path, symbols: int = 2) -> AsyncIterator[Books]:
    """Of a fresh account."""
    async with running(folder / "venue", symbols=generated_symbols(symbols), rate=200.0) as venue:
        key = folder / "main" / "key.json"
        key.parent.mkdir()
        key.write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
        key.chmod(0o600)
        where: dict[str, Any] = {"order_rest_url": venue.url, "order_spot_rest_url": venue.url}
        where["order_websocket_url"] = venue.url.replace("http", "ws")
        settings = AccountSettings(execution_mode="demo", account_dir=folder, **where)
        async with open_account(settings, VenueSettings(requests_dir=folder / "requests")) as account:
            names = generated_symbols(symbols)
            filters = {
                name: symbol_filters(one) for name, one in (await account.market_data.instruments(names)).items()
            }
            prices = {name: Decimal(one.price) for name, one in (await account.market_data.last_prices()).items()}
            view = AccountView(account.trading, account.clock.now_ms)
            yield Books(venue, account, view, filters, prices, {}, {})


async def test_twenty_symbols_are_read_and_agree_within_ten_seconds(tmp_path: Path) -> None:
    """After a start with nothing but intents in the books, and entries that were filled meanwhile."""
    async with books(tmp_path, TWENTY) as at:
        await asyncio.gather(*(at.enter(symbol) for symbol in at.filters))
        began = time.monotonic()
        await at.ask_entries()
        first = await at.compare(thorough=True)
        seconds = time.monotonic() - began
        assert first.wanted.is_nothing
        assert {trade.state for trade in at.trades.values()} == {"open"}
        assert all(held_of(trade) == trade.quantity for trade in at.trades.values())
        assert seconds <= LONGEST_SECONDS
        last = await at.later()
        assert last.findings == ()
        for trade in at.trades.values():
            [stop] = [order for order in trade.orders if order.leg == "stop"]
            assert (stop.status, stop.trigger) == ("new", stop.trigger)
        print(f"{TWENTY} symbols: {seconds:.2f} s")


async def test_a_look_at_some_symbols_finds_what_a_look_at_all_does(tmp_path: Path) -> None:
    """Where nothing rests elsewhere but what the list of positions names; and then for less weight."""
    async with books(tmp_path, 3) as at:
        first, second, third = at.filters
        await asyncio.gather(at.enter(first), at.enter(second))
        price = at.filters[third].price_on_tick(at.prices[third] * Decimal("0.8"))
        limits = at.filters[third]
        quantity = (NOTIONAL / price / limits.quantity_step).to_integral_value(ROUND_UP) * limits.quantity_step
        await at.account.trading.place(NewOrder(third, "BUY", quantity, "somebody-1", price=price))
        whole = await at.view.picture()
        assert {one.symbol for one in whole.orders} == {third}
        assert {one.symbol for one in whole.conditionals} == {first, second}
        some = await at.view.picture(among={first, second})
        assert {one.seen.client_id for one in some.resting()} == {one.seen.client_id for one in whole.resting()}
        assert {one.symbol for one in some.positions} == {first, second}
        fewer = await at.view.picture(among={first})
        assert {one.symbol for one in fewer.conditionals} == {first, second}, "a position is reason enough"


async def test_a_symbol_that_the_venue_does_not_know_hides_no_other(tmp_path: Path) -> None:
    async with books(tmp_path, 2) as at:
        first, _ = at.filters
        await at.enter(first)
        found = await at.view.picture(among={first, "GONEUSDT"})
        assert {one.symbol for one in found.conditionals} == {first}


async def test_what_others_did_is_told_apart(tmp_path: Path) -> None:
    async with books(tmp_path) as at:
        symbol = next(iter(at.filters))
        trade = await at.enter(symbol)
        await at.ask_entries()
        await at.compare(thorough=True)
        await at.venue.fault("forced_close", symbol=symbol, reason="liquidation", share="0.5")
        await at.until_found("liquidated")
        half = at.trades[symbol]
        assert Decimal(0) < held_of(half) < trade.quantity
        assert [fill.by for fill in half.fills] == ["executor", "liquidation"]
        await at.venue.fault("position_flip", symbol=symbol)
        flipped = await at.until_found("side_flipped")
        assert {one.name for one in flipped.findings} == {"side_flipped"}
        assert held_of(at.trades[symbol]) == 0
        assert at.trades[symbol].fills[-1].by == "person"
        closed = sum((fill.quantity for fill in at.trades[symbol].fills if fill.side == "SELL"), Decimal(0))
        assert closed == trade.quantity, "the rest of that order is somebody else's position"


async def test_late_reads_are_no_difference(tmp_path: Path) -> None:
    async with books(tmp_path) as at:
        symbol = next(iter(at.filters))
        await at.venue.fault("stale_reads", by_ms=2_000)
        await at.enter(symbol)
        await at.ask_entries()
        first = await at.compare(thorough=True)
        assert {one.name for one in first.findings} <= {"missed_fill", "not_explained_yet"}
        assert (await at.later()).findings == ()
