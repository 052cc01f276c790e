"""A guard on an account at a running simulator, with a state file, and everything else absent unless a test brings it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.contracts.commands import CommandAnswered
from libs.contracts.event import Event
from libs.contracts.trading import AlertRaised, RiskStateChanged
from libs.exchanges.account import Account, open_account
from libs.exchanges.limiter import GUARD
from libs.exchanges.trading import NewConditional, NewOrder
from libs.kit.keys import TrustedFolder
from libs.kit.settings import AccountSettings, VenueSettings
from libs.trading.risk.limits import RiskLimits
from services.risk_guard.at_venue import mark_prices
from services.risk_guard.guard import Guard
from services.risk_guard.market import VenueMarket
from services.risk_guard.memory import StateFile
from services.risk_guard.ports import GuardParts
from tests.services.exchange_simulator.running import Running, running
from tests.services.exchange_simulator.trader import Trader, trader
from tests.services.processes import eventually

SYMBOL = "BTCUSDT"
SMALL = Decimal("0.010")
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 60.0}


@dataclass
class Told:
    """What the guard has said."""

    events: list[Event] = field(default_factory=list)

    def publish(self, events: Sequence[Event]) -> None:
        self.events += events

    @property
    def states(self) -> list[RiskStateChanged]:
        return [one for one in self.events if isinstance(one, RiskStateChanged)]

    @property
    def answers(self) -> list[CommandAnswered]:
        return [one for one in self.events if isinstance(one, CommandAnswered)]

    @property
    def alerts(self) -> list[AlertRaised]:
        return [one for one in self.events if isinstance(one, AlertRaised)]


@dataclass
class Guarding:
    """A venue, the account as its owner trades it, and a guard that can be dropped and begun again."""

    venue: Running
    account: Account
    folder: Path
    limits: RiskLimits
    told: Told = field(default_factory=Told)
    guard: Guard | None = None

    @property
    def owner(self) -> Trader:
        return trader(self.venue)

    def parts(self) -> GuardParts:
        return GuardParts(
            account="main",
            installation="here",
            venue=self.account.trading,
            market=VenueMarket(self.account.market_data, self.account.clock),
            keeper=StateFile(self.folder / "guard", "main"),
            outlet=self.told,
            clock=self.account.clock,
            keys=TrustedFolder(self.folder / "keys"),
            limits=self.limits,
        )

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Guard]:
        """A guard that runs, and is dropped at the end as by a crash."""
        parts = self.parts()
        keeper = parts.keeper
        assert isinstance(keeper, StateFile)
        with keeper.owned():
            guard = self.guard = Guard(parts, keeper.load())
            marks = mark_prices(self.account, guard)
            work = [guard.run(), self.account.user_stream(guard).run(), marks.run()]
            tasks = [asyncio.create_task(one) for one in work]
            try:
                yield guard
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def enter(self, symbol: str = SYMBOL, quantity: Decimal = SMALL, side: str = "BUY", **more: Any) -> None:
        client_id = f"p1-{symbol}-{side}-{len(await self.owner.entries('command'))}"
        order = NewOrder(symbol, side, quantity, client_id, **more)  # type: ignore[arg-type]
        assert (await self.account.trading.place(order)).status == "FILLED"

    async def protect(self, symbol: str = SYMBOL, share: str = "0.9", side: str = "SELL") -> str:
        """A closing stop at that share of the price; its id."""
        client_id = f"stop-{symbol}-{len(await self.owner.entries('command'))}"
        trigger = (await self.price(symbol) * Decimal(share)).quantize(Decimal("0.1"))
        stop = NewConditional(symbol, side, "STOP_MARKET", client_id, trigger)  # type: ignore[arg-type]
        await self.account.trading.place_conditional(stop)
        return client_id

    async def price(self, symbol: str = SYMBOL) -> Decimal:
        return Decimal((await self.account.market_data.last_prices())[symbol].price)

    async def positions(self) -> list[dict[str, Any]]:
        """By the venue's own truth."""
        found = await self.owner.truth()
        return [one for one in found["positions"] if Decimal(one["amount"])]

    async def until_flat(self, seconds: float = 60.0) -> None:
        async def flat() -> bool:
            return not await self.positions()

        await eventually(flat, seconds, lambda: "it is not flat")

    async def until_state(self, level: str, seconds: float = 60.0) -> RiskStateChanged:
        async def reached() -> bool:
            return bool(self.told.states) and self.told.states[-1].level == level

        await eventually(reached, seconds, lambda: f"no {level}: {[one.reasons for one in self.told.states[-1:]]}")
        return self.told.states[-1]


@asynccontextmanager
async def guarding(folder: Path, limits: Mapping[str, Any] | None = None, **more: Any) -> AsyncIterator[Guarding]:
    """A running simulator and the account's key in its folder; no guard yet."""
    async with running(folder / "venue", **(SETTINGS | more)) as venue:
        keys = folder / "accounts" / "main"
        keys.mkdir(parents=True)
        (keys / "key.json").write_text(json.dumps({"key": venue.api_key.key, "secret": venue.api_key.secret}))
        (keys / "key.json").chmod(0o600)
        account = AccountSettings(execution_mode="demo", account_dir=folder / "accounts")
        settings = VenueSettings(
            binance_rest_url=venue.url,
            binance_websocket_url=venue.url.replace("http", "ws"),
            binance_spot_rest_url=venue.url,
            requests_dir=folder / "requests",
        )
        async with open_account(account, settings, GUARD) as opened:
            yield Guarding(venue, opened, folder, RiskLimits.model_validate(limits or {}))
