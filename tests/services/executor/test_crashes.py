"""Killed anywhere between an intent and its recorded result: at most one entry, one while its signal is valid, protected."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.exchanges.trading import TradingVenue
from libs.trading.execution.document import Trade
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import Floor, floor, until


class Killed(BaseException):
    """The process is gone: nobody catches this."""


@dataclass
class Fuse:
    """Kills whoever comes to the point for the `left`-th time."""

    point: str
    left: int = 1
    is_blown: bool = False

    async def __call__(self, point: str) -> None:
        if point == self.point and not self.is_blown:
            self.left -= 1
            if self.left == 0:
                self.is_blown = True
                raise Killed(point)


@dataclass
class FuseOfBooks:
    """Kills the executor as soon as its books hold such a trade."""

    at: Floor
    enough: Callable[[Trade], bool]
    is_blown: bool = False

    async def __call__(self, point: str) -> None:
        if (
            point == "after write"
            and not self.is_blown
            and any(map(self.enough, self.at.database.documents().values()))
        ):
            self.is_blown = True
            raise Killed(point)


@dataclass
class FusedVenue:
    """An account that kills whoever sends an order: before it leaves, or once the venue has it."""

    venue: TradingVenue
    fuse: Callable[[str], Awaitable[None]]

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.venue, name)
        if name not in ("place", "place_conditional"):
            return call

        async def fused(*given: Any) -> Any:
            await self.fuse(f"before {name}")
            answer = await call(*given)
            await self.fuse(f"after {name}")
            return answer

        return fused


async def entries_of(at: Floor) -> int:
    """How many orders have bought, by the venue."""
    fills = await at.account.trading.executions(SYMBOL)
    return len({fill.order_id for fill in fills if fill.side == "BUY"})


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("before write", 1),
        ("after write", 1),
        ("before place", 1),
        ("after place", 1),
        ("before write", 2),
        ("after write", 2),
        ("before place_conditional", 1),
        ("after place_conditional", 1),
        ("before write", 3),
        ("after place", 2),
    ],
)
async def test_killed_at_each_point_there_is_one_entry_and_it_is_protected(
    tmp_path: Path, point: str, count: int
) -> None:
    async with floor(tmp_path) as at:
        first = await at.executor()
        await first.ready()
        fuse = Fuse(point, count)
        at.database.gate = fuse
        first.fuse_venue(FusedVenue(at.account.trading, fuse))
        signal = at.signal(take_profit_1=at.price() * 2, take_profit_2=at.price() * 3)
        first.offset += 1
        sending = asyncio.create_task(first.signal(signal))
        await until(lambda: fuse.is_blown, lambda: f"{fuse}")
        await first.drop()
        sending.cancel()
        at.database.expires = float("-inf")
        second = await at.executor()
        await second.ready_or_held()
        second.offset = 5
        await second.signal(signal)
        trade = await second.trade("signal-1", lambda found: found.times.targets_ms > 0, 30)
        assert trade.state == "open"
        assert await entries_of(at) == 1
        [stop] = await at.account.trading.open_conditionals()
        assert stop.close_position
        assert len(await at.account.trading.open_orders()) == 2


async def test_killed_once_the_refusal_of_its_stop_is_known_the_position_gets_another_one(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        first = await at.executor()
        await first.ready()
        await at.venue.fault("refusal", code=-4014, paths=["/fapi/v1/algoOrder"], methods=["POST"], most=1)
        at.database.gate = fuse = FuseOfBooks(at, lambda trade: "rejected" in stops_of(trade))
        sending = asyncio.create_task(first.signal(at.signal()))
        await until(lambda: fuse.is_blown, lambda: str(at.database.documents()))
        await first.drop()
        sending.cancel()
        assert (await at.person.truth())["open_algo_orders"] == 0
        at.database.expires = float("-inf")
        second = await at.executor()
        trade = await second.trade("signal-1", lambda found: found.times.targets_ms > 0)
        assert trade.state == "open"
        assert stops_of(trade) == ["rejected", "new"]
        assert await entries_of(at) == 1
        [stop] = await at.account.trading.open_conditionals()
        assert stop.close_position


def stops_of(trade: Trade) -> list[str]:
    """What became of its stops, the oldest first."""
    return [order.status for order in trade.orders if order.leg == "stop"]


async def test_an_entry_that_was_meant_is_not_sent_once_its_strategy_is_switched_off(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        first = await at.executor()
        await first.ready()
        fuse = Fuse("after write")
        at.database.gate = fuse
        signal = at.signal()
        sending = asyncio.create_task(first.signal(signal))
        await until(lambda: fuse.is_blown, lambda: f"{fuse}")
        await first.drop()
        sending.cancel()
        at.database.expires = float("-inf")
        at.config = at.config.model_copy(update={"strategies": ("another",)})
        second = await at.executor()
        trade = await second.trade("signal-1", lambda found: found.is_final, 40)
        assert (trade.state, trade.reason) == ("not_entered", "not_enabled")
        assert await entries_of(at) == 0


async def test_a_second_executor_waits_and_a_paused_one_sends_nothing(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        first = await at.executor()
        await first.ready()
        second = await at.executor()
        await until(lambda: second.executor.pages.trouble is not None, lambda: "it does not wait")
        assert second.executor.pages.lease is None
        # Its renewals stand still as those of a stopped process do: the database gives the account away.
        first.executor.pages.clock = PausedTime(first.executor.pages.clock)
        at.database.expires = float("-inf")
        await second.ready()
        await first.signal_lost(at.signal())
        await second.signal(at.signal())
        await second.trade("signal-1", lambda found: found.times.protected_ms > 0)
        assert await entries_of(at) == 1


@dataclass
class PausedTime:
    """A clock that stood still when its process was stopped, as far as the lease goes."""

    clock: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(3600)
