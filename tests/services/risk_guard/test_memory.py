"""The guard's file: what was kept is read again whole, and what cannot be read is never taken for a fresh start."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.trading import AlertRaised
from libs.kit.errors import ConfigurationError
from libs.trading.risk.baselines import Baselines
from libs.trading.risk.memory import from_bytes, to_bytes
from libs.trading.risk.policy import Cause, GuardState
from services.risk_guard.at_venue import Once
from services.risk_guard.memory import MOST_UNSENT, Entered, HeldTrade, Memory, StateFile, TradeEnd, waiting_alerts
from services.risk_guard.telling import alert

FULL = Memory(
    account="main",
    state=GuardState("circuit_break", (Cause("drawdown", "too much"),), break_number=3, flattens=True),
    baselines=Baselines(20_000, 1, Decimal("10000.01"), Decimal("10100"), 5, 9, Decimal("-5.5"), ("TRANSFER:7",)),
    paused=True,
    locks={"BTCUSDT": 5},
    nonces={"a" * 32: 9},
    offsets={"control.command.v1 abc": 4},
    first_seen={"BTCUSDT:long": 1},
    held={"BTCUSDT:long": HeldTrade("t", Decimal("1.10"), None, 3, Decimal("0.5"))},
    stands_at={"BTCUSDT:long": Decimal("-0.25")},
    ended={"t0": TradeEnd(1, Decimal("-3.30"), None, told=False)},
    entered={"t0": Entered(1, Decimal("2.5"))},
)


def test_what_is_kept_is_read_again_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    keeper = StateFile(tmp_path, "main")
    assert keeper.load() == Memory(account="main"), "nothing was ever kept"
    keeper.save(FULL)
    assert StateFile(tmp_path, "main").load() == FULL
    assert keeper.path.stat().st_mode & 0o777 == 0o600
    keeper.save(msgspec.structs.replace(FULL, paused=False))
    assert not keeper.load().paused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main.json"], "no draft stays"


@given(st.integers(1, len(to_bytes(FULL)) - 1))
def test_no_beginning_of_it_is_taken_for_all_of_it(count: int) -> None:
    with pytest.raises(ValueError, match="no Memory"):
        from_bytes(Memory, to_bytes(FULL)[:count])


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b'{"account": 5}', b"\xff\xfe", b'{"account": "other"}'])
def test_a_file_in_doubt_is_refused_with_what_to_do(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "main.json").write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        StateFile(tmp_path, "main").load()
    assert "restore it from a backup" in refused.value.advice.todo


def test_one_guard_an_account(tmp_path: Path) -> None:
    with StateFile(tmp_path, "main").owned():
        with pytest.raises(ConfigurationError, match="another guard"), StateFile(tmp_path, "main").owned():
            raise AssertionError("two of them")
        with StateFile(tmp_path, "second").owned():
            pass
    with StateFile(tmp_path, "main").owned():
        pass


def test_a_flood_of_warnings_pushes_out_no_critical_alert() -> None:
    critical, *warnings = [
        alert("main", "critical" if number == 0 else "warning", ("refused", str(number)), number)
        for number in range(MOST_UNSENT + 3)
    ]
    kept = waiting_alerts((critical, *warnings))
    assert kept == (critical, *warnings[3:])
    breaks = tuple(alert("main", "critical", ("break", str(number)), number) for number in range(MOST_UNSENT + 1))
    assert waiting_alerts(breaks) == breaks[1:]


async def test_an_audit_that_cannot_be_renamed_is_told_once_and_one_that_cannot_be_kept_until_it_is() -> None:
    told: list[AlertRaised] = []

    async def tell(event: AlertRaised) -> None:
        told.append(event)
        if len(told) == 1:
            raise OSError("the disk is full")

    once, event = Once(tell), alert("main", "critical", ("closed", "everything"), 1)
    with pytest.raises(OSError, match="full"):
        await once(event)
    await once(event)
    await once(event)
    assert told == [event, event]
