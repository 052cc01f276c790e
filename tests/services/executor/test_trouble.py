"""A venue that answers nothing, late or wrongly, others on the account, a guard that forbids: what is open stays protected."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.trading import AlertRaised
from libs.trading.execution.sums import holding_of
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, Floor, floor, risk, until

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
UNCLEAR: list[dict[str, Any]] = [
    {"kind": "unavailable", "text": "unknown", "executed": "yes"},
    {"kind": "unavailable", "text": "unknown", "executed": "no"},
    {"kind": "unavailable", "text": "unavailable", "executed": "no"},
    {"kind": "backend_timeout", "executed": "yes"},
    {"kind": "backend_timeout", "executed": "no"},
    {"kind": "connection_reset", "executed": "yes"},
    {"kind": "connection_reset", "executed": "no"},
    {"kind": "no_answer", "executed": "late", "late_ms": 800, "seconds": 8.0},
]


async def entries_of(at: Floor) -> int:
    """How many orders have bought, by the venue."""
    fills = await at.account.trading.executions(SYMBOL)
    return len({fill.order_id for fill in fills if fill.side == "BUY"})


@pytest.mark.parametrize("path", [ORDER, ALGO])
@pytest.mark.parametrize("fault", UNCLEAR, ids=lambda fault: f"{fault['kind']}-{fault['executed']}")
async def test_an_unknown_outcome_is_asked_for_and_never_doubled(
    tmp_path: Path, fault: dict[str, Any], path: str
) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await at.venue.fault(**fault, paths=[path], methods=["POST"], most=1)
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0, 30)
        assert trade.state == "open"
        assert await entries_of(at) == 1
        assert len(await at.account.trading.open_conditionals()) == 1
        assert len(await at.account.trading.open_orders()) == 2


@pytest.mark.parametrize("kind", ["silent", "drop", "duplicate", "reorder"])
async def test_a_user_stream_that_loses_or_mixes_events_delays_nothing_that_protects(tmp_path: Path, kind: str) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await at.venue.fault(kind, streams=["ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE"])
        price = Decimal(await at.person.price())
        await one.signal(at.signal(take_profit_1=price))
        # Break-even is placed once the target is known to be filled; its fills may be listed a moment later.
        await one.trade("signal-1", lambda found: found.is_final or _resting(found, "break_even") != [], 60)
        trade = await one.trade("signal-1", lambda found: holding_of(found).missing == 0 and len(found.fills) > 1, 60)
        assert len({fill.trade_id for fill in trade.fills}) == len(trade.fills)
        assert await entries_of(at) == 1


async def test_in_a_break_only_stops_are_sent_and_the_guards_fills_are_booked(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        one.guard = risk("circuit_break", entries=False)
        await until(lambda: one.executor.permission.permits(SYMBOL).only_stops, lambda: "no break")
        await at.venue.fault("outside_cancel", symbol=SYMBOL)
        stops = await one.trade("signal-1", lambda found: _resting(found, "stop") == [1])
        assert _resting(stops, "take_profit_1") == []
        quantity = sum((fill.quantity for fill in trade.fills), Decimal(0))
        guards = f"g1-{trade.account_letters}-{trade.installation_letters}-{trade.signal_letters}-cl-0"
        await at.venue.fault(
            "outside_order", symbol=SYMBOL, side="SELL", quantity=str(quantity), reduce_only=True, client_id=guards
        )
        ended = await one.trade("signal-1", lambda found: found.is_final)
        assert (ended.state, ended.exit_reason) == ("closed", "risk_guard")
        assert await at.account.trading.open_conditionals() == []


async def test_a_silent_guard_keeps_out_and_lets_what_is_open_be_left(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor(guard_silent_seconds=3.0)
        await one.ready()
        await one.signal(at.signal(hold_until_ms=at.account.clock.now_ms() + 6_000))
        await one.trade("signal-1", lambda found: found.times.protected_ms > 0)
        one.guard = None
        await one.trade_refused(at.signal(2, symbol="ETHUSDT", price=at.price("ETHUSDT")), "guard_silent")
        assert (await one.trade("signal-1", lambda found: found.is_final)).exit_reason == "hold_expired"


async def test_orders_of_others_pause_entries_and_are_left_alone(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        away = Decimal(await at.person.price(-2000))
        await at.venue.fault("outside_order", symbol="BTCUSDT", side="BUY", quantity="0.01", price=str(away))
        await until(lambda: not one.executor.permission.is_clean, lambda: "nobody minds", 15)
        await until(lambda: bool(one.heard.of(AlertRaised)), lambda: "nobody is told", 15)
        await one.signal(at.signal())
        assert (await one.trade("signal-1", lambda found: True)).reason in ("foreign", "not_ready")
        assert len(await at.account.trading.open_orders()) == 1


async def test_another_installation_on_the_account_keeps_both_out(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        await one.drop()
        at.database.trades.clear()
        at.database.expires = float("-inf")
        other = await at.executor(installation="another")
        await until(lambda: other.executor.ready.is_set(), lambda: "not compared")
        await until(
            lambda: any("installation" in reason for reason in other.executor.permission.reasons()),
            lambda: str(other.executor.permission.reasons()),
            15,
        )
        assert len(await at.account.trading.open_conditionals()) == 1


async def test_a_person_closes_a_part_and_then_all_at_the_venue(tmp_path: Path) -> None:
    async with floor(tmp_path, CONFIG.model_copy(update={"risk_per_trade": Decimal(80)})) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        half = (trade.quantity / 2).quantize(Decimal("0.001"))
        for quantity in (half, trade.quantity - half):
            await at.venue.fault("outside_order", symbol=SYMBOL, side="SELL", quantity=str(quantity), reduce_only=True)
            await one.trade("signal-1", lambda found: any(fill.by == "person" for fill in found.fills))
        ended = await one.trade("signal-1", lambda found: found.is_final)
        assert (ended.state, ended.exit_reason) == ("closed", "person")
        assert await at.account.trading.open_conditionals() == []
        assert await at.account.trading.open_orders() == []


def _resting(trade: Any, leg: str) -> list[int]:
    return [order.generation for order in trade.orders if order.leg == leg and order.status == "new"]
