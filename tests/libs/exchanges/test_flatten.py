"""Flattening an account at the simulated venue with nothing but the port: by the venue's own truth, and under its faults."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.exchanges.flatten import Flattened, FlattenTerms, flatten_directly
from libs.exchanges.flatten_orders import FlattenIds, FlattenStep, MarketLot, market_lot
from libs.exchanges.trading import NewConditional, NewOrder
from libs.kit.errors import BadMessage
from libs.trading.execution.client_ids import read_client_id
from tests.fakes.instruments import instrument
from tests.libs.exchanges.test_trading import Desk, desk
from tests.services.exchange_simulator.trader import trader

TEN = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT", "AVAXUSDT", "LTCUSDT",
)  # fmt: skip
QUANTITIES = ("0.010", "0.3", "7", "1", "450", "6000", "2000", "70", "70", "10")
STEP = Decimal("0.001")


@dataclass
class Told:
    """What the audit heard; the time at which everything that was to be closed was."""

    steps: list[FlattenStep] = field(default_factory=list)

    def __call__(self, step: FlattenStep) -> None:
        self.steps.append(step)

    def kinds(self, kind: str) -> list[FlattenStep]:
        return [one for one in self.steps if one.kind == kind]


def terms(at: Desk, lots: Mapping[str, MarketLot] | None = None, **more: Any) -> FlattenTerms:
    return FlattenTerms(FlattenIds("main", "here", "test"), at.clock, lots or {}, **more)


async def flatten(at: Desk, told: Told, symbols: tuple[str, ...] | None = None, **more: Any) -> Flattened:
    return await flatten_directly(at.account, symbols, told, terms(at, **more))


async def protect(at: Desk, symbol: str, entry: str, side: str = "SELL", **more: Any) -> None:
    """A closing stop far away."""
    [position] = [one for one in await at.account.positions(symbol) if one.amount]
    away = Decimal("0.5") if side == "SELL" else Decimal(2)
    trigger = (position.mark_price * away).quantize(Decimal("0.1") if position.mark_price > 10 else Decimal("0.001"))
    stop = NewConditional(symbol, side, "STOP_MARKET", f"stop-{entry}", trigger, **more)  # type: ignore[arg-type]
    await at.account.place_conditional(stop)


async def enter(at: Desk, symbol: str, quantity: str, side: str = "BUY", **more: Any) -> None:
    order = NewOrder(symbol, side, Decimal(quantity), f"entry-{symbol}-{side}", **more)  # type: ignore[arg-type]
    assert (await at.account.place(order)).status == "FILLED"


async def truth(at: Desk) -> tuple[list[Any], int]:
    """Positions and the number of orders, past every fault."""
    account = await trader(at.venue).truth()
    orders = await at.account.open_orders()
    algos = await at.account.open_conditionals()
    return account["positions"], len(orders) + len(algos)


async def test_ten_positions_are_flat_within_three_seconds_and_nothing_stays(tmp_path: Path) -> None:
    async with desk(tmp_path, symbols=TEN) as at:
        for number, (symbol, quantity) in enumerate(zip(TEN, QUANTITIES, strict=True)):
            side = "SELL" if number % 2 else "BUY"
            await enter(at, symbol, quantity, side)
            await protect(at, symbol, symbol, "BUY" if number % 2 else "SELL")
        told, began, began_ms = Told(), time.monotonic(), at.clock.now_ms()
        ended = await flatten(at, told)
        took = time.monotonic() - began
        last_ms = max(one.time_ms for one in told.kinds("closed")) - began_ms
        print(f"ten positions: closed after {last_ms} ms, verified flat after {took:.2f} s")
        assert ended.flat
        assert len(ended.closed) == 10
        assert last_ms < 3_000
        assert await truth(at) == ([], 0)
        ours = [read_client_id(one.client_id) for one in told.kinds("closed")]
        assert all(one is not None and one.sender == "guard" for one in ours)


async def test_stops_stay_until_the_position_has_gone(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        await protect(at, "BTCUSDT", "1")
        told = Told()
        assert (await flatten(at, told)).flat
        kinds = [one.kind for one in told.steps]
        assert kinds.index("closed") < kinds.index("cancelled")


async def test_what_would_open_is_cancelled_first_and_what_belongs_to_others_stays(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        await enter(at, "ETHUSDT", "0.3")
        price = Decimal(await trader(at.venue).price(-500))
        await at.account.place(NewOrder("BTCUSDT", "BUY", Decimal("0.010"), "resting", price))
        told = Told()
        assert (await flatten(at, told, ("BTCUSDT",))).flat
        assert told.steps[0].kind == "cancelled"
        positions, orders = await truth(at)
        assert ([one["symbol"] for one in positions], orders) == (["ETHUSDT"], 0)


async def test_slices_fit_the_venues_largest_market_order(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        told = Told()
        ended = await flatten(at, told, lots={"BTCUSDT": MarketLot(STEP, Decimal("0.0045"))})
        assert ended.flat
        assert [one.quantity for one in told.kinds("closed")] == [4 * STEP, 4 * STEP, 2 * STEP]


async def test_a_limit_that_nobody_knew_is_found_by_halves(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        too_large = {"paths": ["/fapi/v1/order"], "methods": ["POST"], "where": {"quantity": "0.010"}}
        await at.venue.fault("refusal", code=-4005, message="Quantity greater than max quantity.", **too_large)
        told = Told()
        assert (await flatten(at, told)).flat
        assert {one.quantity for one in told.kinds("closed")} <= {5 * STEP}


async def test_hedge_mode_has_sides_and_no_flag(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await trader(at.venue).ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        await enter(at, "BTCUSDT", "0.010", position_side="LONG")
        await enter(at, "BTCUSDT", "0.020", "SELL", position_side="SHORT")
        await protect_hedged(at)
        told = Told()
        ended = await flatten(at, told, ("BTCUSDT",), side="short")
        assert ended.flat
        assert ended.closed == {("BTCUSDT", "short"): 20 * STEP}
        positions, orders = await truth(at)
        assert ([one["side"] for one in positions], orders) == (["LONG"], 1)
        assert (await flatten(at, told)).flat
        assert await truth(at) == ([], 0)


async def protect_hedged(at: Desk) -> None:
    for side, trigger, position_side in (("SELL", "50000", "LONG"), ("BUY", "150000", "SHORT")):
        stop = NewConditional(
            "BTCUSDT", side, "STOP_MARKET", f"stop-{side}", Decimal(trigger), position_side=position_side  # type: ignore[arg-type]
        )  # fmt: skip
        await at.account.place_conditional(stop)


@pytest.mark.parametrize(
    ("kind", "executed"),
    [("backend_timeout", "late"), ("backend_timeout", "yes"), ("connection_reset", "yes"), ("unavailable", "no")],
)
async def test_an_unknown_outcome_neither_turns_a_position_round_nor_leaves_it(
    kind: str, executed: str, tmp_path: Path
) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        await protect(at, "BTCUSDT", "1")
        more: dict[str, Any] = {"text": "unknown"} if kind == "unavailable" else {}
        more |= {"late_ms": 1_500} if executed == "late" else {}
        await at.venue.fault(kind, paths=["/fapi/v1/order"], methods=["POST"], executed=executed, most=1, **more)
        told = Told()
        ended = await flatten(at, told)
        assert ended.flat
        assert told.kinds("unknown")
        assert await truth(at) == ([], 0)
        fills = await at.account.executions("BTCUSDT")
        assert sum(one.quantity if one.side == "BUY" else -one.quantity for one in fills) == 0


async def test_reads_that_are_two_seconds_old_do_not_end_it_too_early(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.venue.fault("stale_reads", by_ms=2_000)
        await enter(at, "BTCUSDT", "0.010")
        ended = await flatten(at, Told())
        assert ended.flat
        assert await truth(at) == ([], 0)


async def test_what_cannot_be_closed_in_time_is_said(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await enter(at, "BTCUSDT", "0.010")
        await at.venue.fault("refusal", paths=["/fapi/v1/order"], methods=["POST"], code=-1122, message="Not now.")
        told = Told()
        ended = await flatten(at, told, patience_seconds=1.0)
        assert (ended.flat, ended.left) == (False, ("BTCUSDT long: 0.010",))
        assert told.steps[-1].kind == "left"
        assert any("Not now" in one.words for one in told.kinds("refused"))


def test_ids_are_never_used_twice() -> None:
    ids = FlattenIds("main", "here", "break 1")
    found = [ids.next_id("BTCUSDT") for _ in range(2_500)] + [ids.next_id("ETHUSDT") for _ in range(10)]
    found += [FlattenIds("main", "here", "break 2").next_id("BTCUSDT")]
    assert len(set(found)) == len(found)
    assert all(read_client_id(one) is not None for one in found)


def test_a_lot_is_of_the_instrument() -> None:
    assert market_lot(instrument()) == MarketLot(STEP)
    limited = msgspec.structs.replace(instrument(), max_quantity="120")
    assert market_lot(limited) == MarketLot(STEP, Decimal(120))
    with pytest.raises(BadMessage):
        market_lot(msgspec.structs.replace(instrument(), step_size="0"))
