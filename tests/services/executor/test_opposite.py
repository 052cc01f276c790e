"""A signal against what is open: it closes that where its strategy says so, whether it may be entered itself or not."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.signals import SignalScored
from libs.trading.execution.document import CloseWish
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, Executing, Floor, floor

PATIENT = CONFIG.model_copy(update={"signal_valid_seconds": 600})
"""So that the first signal is entered on a slow machine too."""


def against(at: Floor, **changes: Any) -> SignalScored:
    """A short signal of now that closes what its strategy holds long."""
    price = at.price()
    given: dict[str, Any] = {
        "direction": "short",
        "stop_loss": price * Decimal("1.02"),
        "take_profit_1": price * Decimal("0.97"),
        "take_profit_2": price * Decimal("0.94"),
        "on_opposite_signal": "close",
    }
    return at.signal(2, **(given | changes))


async def long_trade(at: Floor, age_ms: int = 0) -> Executing:
    """An executor that holds a protected long trade, whose signal was so old when it came."""
    one = await at.executor()
    await one.ready()
    await one.signal(at.signal(event_time_ms=at.account.clock.now_ms() - age_ms))
    await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
    return one


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("fresh", "position_open"),
        ("expired", "expired"),
        ("blacklisted", "not_enabled"),
        ("switched_off", "not_enabled"),
    ],
)
async def test_what_is_open_is_closed_though_the_signal_is_not_entered(tmp_path: Path, case: str, reason: str) -> None:
    async with floor(tmp_path, PATIENT) as at:
        one = await long_trade(at, 5_000)
        by_case: dict[str, dict[str, Any]] = {
            "blacklisted": {"blacklist": (SYMBOL,)},
            "switched_off": {"strategies": ()},
            "expired": {"signal_valid_seconds": 1},
        }
        permission = one.executor.permission
        permission.config = permission.config.model_copy(update=by_case.get(case, {}))
        age_ms = 2_000 if case == "expired" else 0
        await one.signal(against(at, event_time_ms=at.account.clock.now_ms() - age_ms))
        refused = await one.trade("signal-2", lambda found: True)
        assert (refused.state, refused.reason) == ("refused", reason)
        closed = await one.trade("signal-1", lambda found: found.is_final)
        assert (closed.state, closed.exit_reason) == ("closed", "opposite_signal")
        assert await at.account.trading.open_conditionals() == []
        assert (await at.person.truth())["positions"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"on_opposite_signal": "ignore"},
        {"direction": "long"},
        {"strategy": "another"},
        {"symbol": "ETHUSDT", "strategy": "another"},
    ],
    ids=lambda changes: next(iter(changes.values())),
)
async def test_what_is_not_against_it_leaves_it_open(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with floor(tmp_path, PATIENT) as at:
        one = await long_trade(at)
        await one.signal(against(at, **changes))
        await one.trade("signal-2", lambda found: found.is_final)
        assert at.database.documents()["signal-1"].closes == ()


async def test_a_signal_from_before_the_trades_own_closes_nothing(tmp_path: Path) -> None:
    async with floor(tmp_path, PATIENT) as at:
        one = await long_trade(at)
        await one.signal(against(at, event_time_ms=at.account.clock.now_ms() - 700_000))
        assert (await one.trade("signal-2", lambda found: True)).reason == "expired"
        assert at.database.documents()["signal-1"].closes == ()


async def test_the_close_is_in_the_books_before_the_signal_is(tmp_path: Path) -> None:
    async with floor(tmp_path, PATIENT) as at:
        one = await long_trade(at)
        closes_first: list[tuple[CloseWish, ...]] = []

        async def gate(moment: str) -> None:
            if moment == "after write" and "signal-2" in at.database.documents():
                closes_first.append(at.database.documents()["signal-1"].closes)

        at.database.gate = gate
        await one.signal(against(at))
        assert [wish.wish_id for wish in closes_first[0]] == ["signal-2"]
